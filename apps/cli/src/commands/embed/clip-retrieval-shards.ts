import { readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { Blip2Error, mustBe } from '@blip2/interfaces';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';

import { expectWritable } from '../../output/output-path.ts';

/** Prefix of the folder names `img_emb` and `text_emb`. */
export type ShardKind = 'img' | 'text';

export interface FoundShard {
  readonly number: number;
  /** The images or texts of its vectors, in order; `undefined` if one of its two files is missing or damaged. */
  readonly names: readonly string[] | undefined;
}

/** Paths of the vectors and the metadata of a shard. */
export function shardFiles(
  folder: string,
  kind: ShardKind,
  number: number,
): { readonly vectors: string; readonly metadata: string } {
  return {
    vectors: join(folder, `${kind}_emb`, `${kind}_emb_${number}.npy`),
    metadata: join(folder, 'metadata', `metadata_${number}.parquet`),
  };
}

/**
 * Checks that the folder can be written to or created.
 * @throws Blip2Error `INVALID_ARGUMENT` for a file; `WRITE_FAILED`.
 */
export async function expectFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isFile()) throw mustBe('The output of --format', 'a folder', folder, { fix: 'It is an existing file' });
  await expectWritable(found ? join(folder, 'any') : resolve(folder));
}

/**
 * Lists the shards in a folder, by number.
 * @throws Blip2Error `INVALID_ARGUMENT` if it holds embeddings of the other modality, which would share the metadata.
 */
export async function finishedShards(folder: string, kind: ShardKind): Promise<readonly FoundShard[]> {
  const other = kind === 'img' ? 'text' : 'img';
  if ((await numbersIn(join(folder, `${other}_emb`), `${other}_emb_`)).size > 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'The folder holds embeddings of another modality', {
      where: folder,
      got: `${other}_emb`,
      fix: 'Use another folder',
    });
  const vectors = await numbersIn(join(folder, `${kind}_emb`), `${kind}_emb_`);
  const metadata = await numbersIn(join(folder, 'metadata'), 'metadata_');
  const numbers = [...new Set([...vectors, ...metadata])].sort((a, b) => a - b);
  return Promise.all(
    numbers.map(async (number) => ({
      number,
      names:
        vectors.has(number) && metadata.has(number)
          ? await namesOf(shardFiles(folder, kind, number).metadata, kind)
          : undefined,
    })),
  );
}

/** Deletes the files of shards. */
export async function removeUnfinished(folder: string, shards: readonly FoundShard[], kind: ShardKind): Promise<void> {
  for (const { number } of shards)
    for (const file of Object.values(shardFiles(folder, kind, number))) await rm(file, { force: true });
}

async function numbersIn(folder: string, prefix: string): Promise<ReadonlySet<number>> {
  const names = await readdir(folder).catch(() => []);
  const found = names.map((name) => new RegExp(`^${prefix}(\\d+)\\.(?:npy|parquet)$`).exec(name)?.[1]);
  return new Set(found.filter((digits) => digits !== undefined).map(Number));
}

async function namesOf(file: string, kind: ShardKind): Promise<readonly string[] | undefined> {
  const column = kind === 'img' ? 'image_path' : 'caption';
  try {
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(file), columns: [column] });
    return rows.map((row) => String(row[column]));
  } catch {
    return undefined;
  }
}
