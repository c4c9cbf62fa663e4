import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import {
  removeAbandonedTemporaries,
  systemCode,
  temporaryName,
  wrapWriteErrors,
  writeAll,
  writePending,
} from '@blip2/files';
import { type Cell, parquetWriter, type TableColumn } from '@blip2/tables';

import type { Shard } from '../plan/plan-shards.ts';

/** A row of the results, and the code of its error if it has one. */
export interface ShardRow {
  readonly cells: readonly Cell[];
  readonly code?: string | undefined;
}

/** What is known of the output of a shard. */
export interface ShardStats {
  readonly shard: number;
  readonly file: string;
  readonly rows: number;
  /** Number of rows with an error, by code. */
  readonly errors: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly sha256: string;
  readonly fingerprint: string;
}

/** Where results go. */
export interface ShardOutput {
  readonly folder: string;
  readonly columns: readonly TableColumn[];
  /** `fingerprint` of the run. */
  readonly fingerprint: string;
  /** Metadata of every file, besides the fingerprint. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes the rows of a shard as one Parquet file, and its statistics. The file appears complete or not at all; of two
 * workers with the same shard, the first one counts.
 * @throws Blip2Error `WRITE_FAILED`; whatever `rows` throws.
 */
export async function publishShard(
  { folder, columns, fingerprint, metadata = {} }: ShardOutput,
  { index, name }: Shard,
  rows: AsyncIterable<ShardRow> | Iterable<ShardRow>,
): Promise<ShardStats> {
  const file = join(folder, `${name}.parquet`);
  await removeAbandonedTemporaries(folder, (other) => other.startsWith(`.${name}.`) && other.endsWith('.tmp'));
  const temporary = temporaryName(join(folder, `.${name}`));
  const writer = parquetWriter(temporary, columns, { metadata: { 'blip2.fingerprint': fingerprint, ...metadata } });
  const errors: Record<string, number> = {};
  let count = 0;
  try {
    for await (const { cells, code } of rows) {
      await writer.write(cells);
      count++;
      if (code !== undefined) errors[code] = (errors[code] ?? 0) + 1;
    }
    await writer.finish();
    if (count > 0) await placeFirst(temporary, file);
  } catch (error) {
    await writer.discard();
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  const bytes = count > 0 ? (await stat(file)).size : 0;
  const stats: ShardStats = {
    shard: index,
    file: basename(file),
    rows: count,
    errors,
    bytes,
    sha256: count > 0 ? await sha256Of(file) : '',
    fingerprint,
  };
  await writeStats(folder, name, stats);
  return stats;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await wrapWriteErrors(file, pipeline(createReadStream(file), hash));
  return hash.digest('hex');
}

/** Gives a file its name, unless another worker was faster. */
async function placeFirst(temporary: string, file: string): Promise<void> {
  try {
    await link(temporary, file);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return;
    // Folders of some systems have no links. The bytes of both workers are the same.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS')
      return wrapWriteErrors(file, rename(temporary, file));
    await wrapWriteErrors(file, Promise.reject(error));
  }
}

async function writeStats(folder: string, name: string, stats: ShardStats): Promise<void> {
  const file = join(folder, `${name}_stats.json`);
  const text = Buffer.from(`${JSON.stringify(stats)}\n`);
  await (await writePending(file, (handle) => writeAll(handle, text, file))).commit();
}

/** The statistics of a shard that is published; undefined if it is not. */
export async function readShardStats(folder: string, { name }: Pick<Shard, 'name'>): Promise<ShardStats | undefined> {
  const text = await readFile(join(folder, `${name}_stats.json`), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const stats = JSON.parse(text) as ShardStats;
    if (stats.rows === 0) return stats;
    return (await stat(join(folder, stats.file))).size === stats.bytes ? stats : undefined;
  } catch {
    return undefined;
  }
}
