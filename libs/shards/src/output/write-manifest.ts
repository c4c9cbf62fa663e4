import { join } from 'node:path';

import { writeAll, writePending } from '@blip2/files';

import type { Shard } from '../plan/plan-shards.ts';
import { readShardStats, type ShardStats } from './publish-shard.ts';
import type { RunRecord } from './run-record.ts';

/** The whole output of a run. */
export interface Manifest extends RunRecord {
  readonly rows: number;
  readonly errors: Readonly<Record<string, number>>;
  /** Of every shard that is published, in order. */
  readonly parts: readonly ShardStats[];
  /** Numbers of the shards that are not. */
  readonly missing: readonly number[];
}

/** Writes `manifest.json`: all files of a run, with rows, errors and checksums. */
export async function writeManifest(folder: string, run: RunRecord, shards: readonly Shard[]): Promise<Manifest> {
  const parts: ShardStats[] = [];
  const missing: number[] = [];
  const errors: Record<string, number> = {};
  for (const shard of shards) {
    const stats = await readShardStats(folder, shard);
    if (stats?.fingerprint !== run.fingerprint) {
      missing.push(shard.index);
      continue;
    }
    parts.push(stats);
    for (const [code, count] of Object.entries(stats.errors)) errors[code] = (errors[code] ?? 0) + count;
  }
  const manifest = { ...run, rows: parts.reduce((sum, { rows }) => sum + rows, 0), errors, parts, missing };
  const file = join(folder, 'manifest.json');
  const text = Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`);
  await (await writePending(file, (handle) => writeAll(handle, text, file))).commit();
  return manifest;
}
