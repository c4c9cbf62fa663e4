import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { type NpyFile, npyFile } from '../../output/npy-file.ts';
import { resultsOf } from '../../output/result-lines.ts';
import type { ResultSink } from '../../output/result-sink.ts';
import type { ResumeOptions } from '../../output/resumable-file.ts';
import { expectSameRun, saveRecord } from '../../output/run-record.ts';
import { writeFailed } from '../../output/write-failed.ts';
import { type ParquetRows, parquetWriter } from '../../tables/parquet-file.ts';
import type { ResultObject } from '../../tables/table.ts';
import { expectFolder, finishedShards, removeUnfinished, shardFiles, type ShardKind } from './clip-retrieval-shards.ts';
import { embeddingOf } from './embedding-of.ts';

export interface ClipRetrievalOptions {
  /** Of what the embeddings are: `img_emb` or `text_emb`. */
  readonly kind: ShardKind;
  /** Embeddings of one file. */
  readonly shardSize: number;
}

/**
 * The folder that `clip-retrieval inference` writes, and that `clip-retrieval index`, `clip-retrieval back` and
 * autofaiss read: `img_emb/img_emb_N.npy` (float32 `[rows, size]`), or `text_emb/text_emb_N.npy`, and
 * `metadata/metadata_N.parquet` with a row for each of its rows (`image_path` or `caption`), N from 0
 * (rom1504/clip-retrieval, `clip_inference/writer.py`). A later run goes on behind the files that are whole.
 * Throws `INVALID_ARGUMENT` if the folder belongs to another run.
 */
export async function openClipRetrievalFolder(
  folder: string,
  { kind, shardSize }: ClipRetrievalOptions,
  { record, restart, keyOf }: ResumeOptions,
): Promise<ResultSink> {
  await expectFolder(folder);
  const shards = await finishedShards(folder, kind);
  const recordOf = join(folder, RECORD);
  const goOn = !restart && shards.length > 0;
  if (goOn) await expectSameRun(recordOf, record);
  const done = new Set(
    goOn ? shards.flatMap(({ names = [] }) => names.map((name) => keyOf({ [keyNameOf(kind)]: name }) ?? '')) : [],
  );
  let number = goOn ? Math.max(...shards.map((shard) => shard.number)) + 1 : 0;
  let shard: Shard | undefined;
  let begun = false;
  let broken = false;
  const begin = async (): Promise<void> => {
    if (begun) return;
    await removeUnfinished(folder, goOn ? shards.filter(({ names }) => names === undefined) : shards, kind);
    const { makeFolder } = await import('@blip2/files');
    for (const name of [`${kind}_emb`, 'metadata'])
      await makeFolder(join(folder, name)).catch((cause: unknown) => {
        throw writeFailed(folder, cause);
      });
    if (!goOn) await saveRecord(recordOf, record);
    begun = true;
  };
  const append = async (result: ResultObject): Promise<void> => {
    await begin();
    shard ??= openShard(folder, kind, number++);
    await shard.append(result);
    if (shard.size < shardSize) return;
    await shard.finish();
    shard = undefined;
  };
  return {
    done,
    resumable: true,
    async write(lines) {
      try {
        for (const result of resultsOf(lines)) await append(result);
      } catch (error) {
        broken = true;
        throw error;
      }
    },
    // After a failure of the model too: what is there was paid for, and a later run goes on behind it.
    close: async () => (broken ? shard?.discard() : shard?.finish()),
  };
}

/** Inside the folder, where no reader looks. */
const RECORD = 'embeddings';

function keyNameOf(kind: ShardKind): 'image' | 'text' {
  return kind === 'img' ? 'image' : 'text';
}

interface Shard {
  readonly size: number;
  append(result: ResultObject): Promise<void>;
  finish(): Promise<void>;
  discard(): Promise<void>;
}

function openShard(folder: string, kind: ShardKind, number: number): Shard {
  const files = shardFiles(folder, kind, number);
  const vectors: NpyFile = npyFile(files.vectors);
  const metadata: ParquetRows = parquetWriter(files.metadata, [
    { name: kind === 'img' ? 'image_path' : 'caption', type: 'string' },
  ]);
  const discard = async (): Promise<void> => {
    await vectors.discard();
    await metadata.discard();
  };
  let size = 0;
  return {
    get size() {
      return size;
    },
    async append(result) {
      const { name, dims, data } = embeddingOf(result);
      if (dims.length !== 1)
        throw new Blip2Error('INVALID_ARGUMENT', 'This layout holds one vector for each input', {
          where: name,
          got: `[${dims.join(', ')}]`,
          fix: 'Use --pool',
        });
      await vectors.append(name, { dims, data });
      await metadata.write([String(result[keyNameOf(kind)])]);
      size++;
    },
    async finish() {
      try {
        // In this order: a file of vectors without its metadata is not whole, and is written again.
        await vectors.finish();
        await metadata.finish();
      } catch (error) {
        await discard();
        await rm(files.vectors, { force: true });
        throw error;
      }
    },
    discard,
  };
}
