import { lstat } from 'node:fs/promises';

import { sharedBlobsOf } from './shared-blobs.ts';

/**
 * Bytes on disk that deleting `files` frees, if those of `deleted` are gone already. A file of the shared store is
 * freed
 * with the last blob that links to it. Other links free nothing.
 */
export async function freedBytes(
  cacheFolder: string,
  files: readonly string[],
  deleted: readonly string[] = [],
): Promise<number> {
  const before = await freedTogether(cacheFolder, deleted);
  return (await freedTogether(cacheFolder, [...deleted, ...files])) - before;
}

async function freedTogether(cacheFolder: string, files: readonly string[]): Promise<number> {
  let bytes = await regularBytes(files);
  const gone = new Set(files);
  for (const { references, bytes: size } of await sharedBlobsOf(cacheFolder, files))
    if (references && references.size > 0 && [...references].every((blob) => gone.has(blob))) bytes += size;
  return bytes;
}

/** Bytes of the regular files among `files`. A file with several hard links counts only if all of them are given. */
export async function regularBytes(files: readonly string[]): Promise<number> {
  const links = new Map<string, number>();
  let bytes = 0;
  for (const path of new Set(files)) {
    const facts = await lstat(path, { bigint: true }).catch(() => undefined);
    if (facts?.isFile() !== true) continue;
    const key = `${facts.dev}:${facts.ino}`;
    const count = (links.get(key) ?? 0) + 1;
    links.set(key, count);
    if (count === Number(facts.nlink)) bytes += Number(facts.size);
  }
  return bytes;
}
