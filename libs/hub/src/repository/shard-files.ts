import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { INDEX_FILE, isModelPath, MAX_INDEX_BYTES, parseShardIndex, PICKLED_FILE, SINGLE_FILE } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { fileSize } from '../cache/snapshot-files.ts';
import { fetchFirstBytes } from '../client/fetch-first-bytes.ts';
import { fileUrl } from '../client/file-url.ts';
import type { HubSession } from '../client/hub-request.ts';
import { contentHash } from './content-hash.ts';
import { etagOf, type RepositoryFile } from './repository-files.ts';

/** Number of downloads with a wrong checksum after which the Hub is blamed. */
const MAX_MISMATCHES = 3;

/** The shard index of a listing; `undefined` if the weights are a single file, which is preferred, or do not exist. */
export function indexEntry(tree: readonly RepositoryFile[]): RepositoryFile | undefined {
  return tree.some(({ path }) => path === SINGLE_FILE) ? undefined : tree.find(({ path }) => path === INDEX_FILE);
}

/**
 * Names of the shards in an index.
 * @throws Blip2Error `INVALID_CHECKPOINT` if the index is invalid, `UNSAFE_PATH` if a shard is outside the repository,
 * `MISSING_FILE` if a shard is in a format that can run code.
 */
function shardNames(bytes: Uint8Array, where: string): ReadonlySet<string> {
  const names = new Set(parseShardIndex(bytes, where).values());
  for (const name of names) {
    if (!isModelPath(name))
      throw new Blip2Error('UNSAFE_PATH', 'The shard index names a file outside the repository', {
        where,
        got: JSON.stringify(name.slice(0, 200)),
        fix: 'Use a checkpoint from a trusted source',
      });
    if (PICKLED_FILE.test(name))
      throw new Blip2Error('MISSING_FILE', 'The shard index names pickled weights, which can run code when loaded', {
        where,
        expected: 'safetensors files',
        got: name,
        fix: 'Use a revision with safetensors files (pull requests on the Hub are revisions: refs/pr/1)',
      });
  }
  return names;
}

/**
 * Names of the shards, from an index in the cache; `undefined` if none of `paths` has the content of `entry`.
 * @throws Blip2Error as `fetchIndex`.
 */
export async function cachedShardNames(
  entry: RepositoryFile,
  paths: readonly string[],
): Promise<ReadonlySet<string> | undefined> {
  for (const path of paths) {
    if (entry.size > MAX_INDEX_BYTES || (await fileSize(path)) !== entry.size) continue;
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes !== undefined && hasContent(entry, bytes)) return shardNames(bytes, path);
  }
  return undefined;
}

/** A shard index that was fetched to plan a download, and need not be fetched again. */
export interface FetchedIndex {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Names of the shards. */
  readonly shards: ReadonlySet<string>;
}

/**
 * Fetches a shard index that is not in the cache.
 * @throws Blip2Error `INVALID_CHECKPOINT`, `UNSAFE_PATH`, `MISSING_FILE`, `INTEGRITY_FAILED`; as `fetchFirstBytes`.
 */
export async function fetchIndex(
  session: HubSession,
  { id, commit }: { readonly id: string; readonly commit: string },
  entry: RepositoryFile,
): Promise<FetchedIndex> {
  const where = fileUrl(session, id, commit, entry.path);
  if (entry.size > MAX_INDEX_BYTES)
    throw new Blip2Error('INVALID_CHECKPOINT', 'The shard index is not valid: it is too large', {
      where,
      expected: `at most ${MAX_INDEX_BYTES} bytes`,
      got: `${entry.size}`,
    });
  for (let mismatches = 0; mismatches < MAX_MISMATCHES; mismatches++) {
    const bytes = await fetchFirstBytes(session, { id, commit, ...entry }, entry.size);
    if (hasContent(entry, bytes)) return { path: entry.path, bytes, shards: shardNames(bytes, where) };
  }
  throw new Blip2Error('INTEGRITY_FAILED', 'A downloaded file has the wrong checksum', {
    where,
    expected: `checksum ${etagOf(entry)}`,
    got: 'another',
    fix: 'Try another network: a proxy may change files',
  });
}

function hasContent(entry: RepositoryFile, bytes: Uint8Array): boolean {
  const hash = contentHash(entry);
  hash.update(bytes);
  return hash.matches();
}

/** Paths at which the cache may hold a file. */
export function cachedPaths(file: RepositoryFile, folder: string, blobs: string): readonly string[] {
  return [join(folder, file.path), join(blobs, etagOf(file))];
}
