import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { mustBe } from '@blip2/interfaces';
import { type ArrayWriter, npyWriter, parquetWriter, type RowWriter } from '@blip2/tables';

import type { ResumeOptions } from '../../output/output-request.ts';
import { countLine, type ResultSink } from '../../output/result-sink.ts';
import { rowTarget } from '../../output/row-target.ts';
import { expectSameRun, saveRecord } from '../../output/run-record.ts';
import { removeLeftovers } from '../../output/temporary-files.ts';
import { writeFailed } from '../../output/write-failed.ts';
import { type ResultObject, resultsOf } from '../../tables/table.ts';
import { expectFolder, finishedShards, removeUnfinished, shardFiles, type ShardKind } from './clip-retrieval-shards.ts';
import { embeddingOf } from './embedding-json.ts';

export interface ClipRetrievalOptions {
  /** Modality of the embeddings: `img_emb` or `text_emb`. */
  readonly kind: ShardKind;
  /** Embeddings per file. */
  readonly shardSize: number;
}

/**
 * Opens a folder in the layout of `clip-retrieval inference`, which `clip-retrieval index`, `clip-retrieval back` and
 * autofaiss read: `img_emb/img_emb_N.npy` (float32 `[rows, size]`) or `text_emb/text_emb_N.npy`, and
 * `metadata/metadata_N.parquet` with one row per vector (`image_path` or `caption`), N from 0 (rom1504/clip-retrieval,
 * `clip_inference/writer.py`). A later run resumes after the complete shards.
 * @throws Blip2Error `INVALID_ARGUMENT` if the folder belongs to another run.
 */
export async function openClipRetrievalFolder(
  folder: string,
  { kind, shardSize }: ClipRetrievalOptions,
  { record, restart, keyOf, numbers }: ResumeOptions,
): Promise<ResultSink> {
  await expectFolder(folder);
  for (const name of ['', `${kind}_emb`, 'metadata']) await removeLeftovers(join(folder, name), { all: true });
  const shards = await finishedShards(folder, kind);
  const recordOf = join(folder, RECORD);
  const resuming = !restart && shards.length > 0;
  if (resuming) await expectSameRun(recordOf, { record, numbers });
  const done = new Map<string, number>();
  for (const { names = [] } of resuming ? shards : [])
    for (const name of names) countLine(done, keyOf({ [keyNameOf(kind)]: name }) ?? '');
  let number = resuming ? Math.max(...shards.map((shard) => shard.number)) + 1 : 0;
  let shard: Shard | undefined;
  let prepared = false;
  let broken = false;
  const prepare = async (): Promise<void> => {
    if (prepared) return;
    await removeUnfinished(folder, resuming ? shards.filter(({ names }) => names === undefined) : shards, kind);
    const { makeFolder } = await import('@blip2/files');
    for (const name of [`${kind}_emb`, 'metadata'])
      await makeFolder(join(folder, name)).catch((cause: unknown) => {
        throw writeFailed(folder, cause);
      });
    if (!resuming) await saveRecord(recordOf, await record());
    prepared = true;
  };
  const append = async (result: ResultObject): Promise<void> => {
    await prepare();
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
    // Also after a failure of the model: the vectors so far are valid, and a later run resumes after them.
    close: async () => (broken ? shard?.discard() : shard?.finish()),
  };
}

/** Record of the run, in the folder, under a name that readers ignore. */
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
  const vectors: ArrayWriter = npyWriter(rowTarget(files.vectors, { rewinds: true }));
  const metadata: RowWriter = parquetWriter(rowTarget(files.metadata, {}), [
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
        throw mustBe('An embedding of --format clip-retrieval', 'one vector', `[${dims.join(', ')}]`, {
          where: name,
          fix: 'Use --pool',
        });
      await vectors.append(name, { dims, data });
      await metadata.write([String(result[keyNameOf(kind)])]);
      size++;
    },
    async finish() {
      try {
        // In this order: vectors without metadata are incomplete, and are written again.
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
