import { createHash } from 'node:crypto';

import { etagOf, type RepositoryFile } from './repository-files.ts';

/** Checks a file's content while it passes by. */
export interface ContentHash {
  update(bytes: Uint8Array): void;
  /** Whether all of the content was what the hub promised. To be called once, after the last byte. */
  matches(): boolean;
}

/** SHA-256 for large files; for the others the SHA-1 of git, which is over a line with the size first. */
export function contentHash(file: RepositoryFile): ContentHash {
  return etagHash(etagOf(file), file.size);
}

/** The same, for content of which only its name in the cache and its size are known. */
export function etagHash(etag: string, size: number): ContentHash {
  const hash = createHash(etag.length === 64 ? 'sha256' : 'sha1');
  if (etag.length !== 64) hash.update(`blob ${size}\0`);
  return { update: (bytes) => void hash.update(bytes), matches: () => hash.digest('hex') === etag };
}
