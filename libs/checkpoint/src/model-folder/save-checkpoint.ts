import { readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import {
  INDEX_FILE,
  makeFolder,
  type PendingFile,
  removeAbandonedTemporaries,
  requireSpace,
  SHARD_FILE,
  SINGLE_FILE,
  syncFolder,
  wrapWriteErrors,
  writeAll,
  writePending,
} from '@blip2/files';
import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { FloatStoredType } from '../safetensors/stored-type.ts';
import { convertedSource, type TensorSource } from '../safetensors/tensor-source.ts';
import { sourceBytes, type WriteOptions, writePendingSafetensors } from '../safetensors/write-safetensors.ts';

/** Former default of Hugging Face Transformers, which every client handles. Its current default is 50 GB. */
const DEFAULT_MAX_SHARD_BYTES = 5_000_000_000;
const MAX_SHARD_NUMBER = 99_999;
/** Pattern of the names of weight files that are being written. */
const UNFINISHED_FILE = /^\.model.*\.tmp$/;

/** Types that `saveCheckpoint` can convert to. */
export type SaveDtype = 'float32' | 'float16' | 'bfloat16';
const STORED_TYPES: Readonly<Record<SaveDtype, FloatStoredType>> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' };

/** Options of `saveCheckpoint`. */
export interface SaveOptions extends WriteOptions {
  /** Maximum bytes of tensors per file. A larger tensor gets a separate file. Default 5 GB. */
  readonly maxShardBytes?: number;
  /** Type of all floating-point tensors. Default: unchanged. */
  readonly dtype?: SaveDtype;
}

interface Shard {
  readonly name: string;
  readonly sources: readonly TensorSource[];
  readonly bytes: number;
}

/**
 * Saves weights in the Hugging Face layout, as `model.safetensors` or as shards with an index. Streamed: memory use is
 * a few MB. The folder is created if needed. Files get their final names only when all are complete; previous weights
 * are then replaced and stale shards deleted. The tensors may come from the same folder. On failure or abort nothing
 * new is left.
 * @throws Blip2Error `INVALID_ARGUMENT`, `WRITE_FAILED` (also if the disk is too small); the signal's reason; whatever
 * a source throws.
 */
export async function saveCheckpoint(
  folder: string,
  sources: Iterable<TensorSource>,
  options: SaveOptions = {},
): Promise<void> {
  const { dtype, maxShardBytes = DEFAULT_MAX_SHARD_BYTES } = options;
  if (!(maxShardBytes > 0)) throw mustBe('maxShardBytes', 'a number above 0', maxShardBytes);
  const all = [...sources].map((source) =>
    dtype === undefined ? source : convertedSource(source, STORED_TYPES[dtype]),
  );
  const shards = planShards(all, maxShardBytes);
  options.signal?.throwIfAborted();
  const created = await wrapWriteErrors(folder, makeFolder(folder));
  try {
    await writeShards(folder, shards, options);
  } catch (error) {
    if (created !== undefined) await removeEmpty(resolve(folder), resolve(created));
    throw error;
  }
}

/** Fills shards in the given order, as Hugging Face Transformers does. */
function planShards(sources: readonly TensorSource[], maxShardBytes: number): Shard[] {
  const groups: { sources: TensorSource[]; bytes: number }[] = [];
  const names = new Set<string>();
  for (const source of sources) {
    if (names.has(source.name))
      throw new Blip2Error('INVALID_ARGUMENT', 'Two tensors have the same name', {
        got: source.name,
        fix: 'Rename one of them',
      });
    names.add(source.name);
    const bytes = sourceBytes(source);
    const last = groups.at(-1);
    if (last === undefined || last.bytes + bytes > maxShardBytes) groups.push({ sources: [source], bytes });
    else {
      last.sources.push(source);
      last.bytes += bytes;
    }
  }
  if (groups.length > MAX_SHARD_NUMBER)
    throw new Blip2Error('INVALID_ARGUMENT', 'maxShardBytes is too small for these tensors', {
      expected: `at most ${MAX_SHARD_NUMBER} files`,
      got: `${groups.length}`,
      fix: 'Increase maxShardBytes',
    });
  if (groups.length <= 1) return [{ name: SINGLE_FILE, sources, bytes: groups[0]?.bytes ?? 0 }];
  const digits = (n: number): string => String(n).padStart(5, '0');
  return groups.map((group, i) => ({
    ...group,
    name: `model-${digits(i + 1)}-of-${digits(groups.length)}.safetensors`,
  }));
}

async function writeShards(folder: string, shards: readonly Shard[], options: SaveOptions): Promise<void> {
  const total = shards.reduce((sum, shard) => sum + shard.bytes, 0);
  // They would take up the space that is required.
  await removeAbandonedTemporaries(folder, (name) => UNFINISHED_FILE.test(name));
  await requireSpace(folder, total);
  const pending: PendingFile[] = [];
  try {
    let loaded = 0;
    for (const shard of shards) {
      pending.push(
        await writePendingSafetensors(join(folder, shard.name), shard.sources, { ...options, loaded, total }),
      );
      loaded += shard.bytes;
    }
    if (shards.length > 1) pending.push(await writePendingIndex(join(folder, INDEX_FILE), shards, total));
    // Delete the old index first: after a crash between the renames, the folder then does not load, instead of loading
    // a mixture of old and new shards.
    if (shards.length > 1)
      await wrapWriteErrors(
        folder,
        removeWeights(folder, (name) => name === INDEX_FILE || name === SINGLE_FILE),
      );
    for (const file of pending) await file.commit();
  } catch (error) {
    await Promise.all(pending.map((file) => file.discard()));
    throw error;
  }
  const kept = new Set([...shards.map(({ name }) => name), ...(shards.length > 1 ? [INDEX_FILE] : [])]);
  await wrapWriteErrors(
    folder,
    removeWeights(folder, (name) => !kept.has(name)),
  );
  await syncFolder(folder);
}

function writePendingIndex(file: string, shards: readonly Shard[], total: number): Promise<PendingFile> {
  const places = shards.flatMap((shard) => shard.sources.map(({ name }): [string, string] => [name, shard.name]));
  const weightMap = Object.fromEntries(places.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const text = `${JSON.stringify({ metadata: { total_size: total }, weight_map: weightMap }, undefined, 2)}\n`;
  return writePending(file, (handle) => writeAll(handle, new TextEncoder().encode(text), file));
}

/** Deletes the weight files of the folder for which `unwanted` is true, and nothing else. */
async function removeWeights(folder: string, unwanted: (name: string) => boolean): Promise<void> {
  const weights = (await wrapWriteErrors(folder, readdir(folder))).filter(
    (name) => name === SINGLE_FILE || name === INDEX_FILE || SHARD_FILE.test(name),
  );
  await Promise.all(weights.filter(unwanted).map((name) => rm(join(folder, name), { force: true })));
}

/** Deletes the created folders from `folder` up to `top`, as long as they are empty. */
async function removeEmpty(folder: string, top: string): Promise<void> {
  for (let current = folder; current.startsWith(top); current = dirname(current)) {
    const removed = await rmdir(current).then(
      () => true,
      () => false,
    );
    if (!removed) return;
  }
}
