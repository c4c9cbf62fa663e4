import { createHash } from 'node:crypto';

import { etagOf, type RepositoryFile } from './repository-files.ts';

/** Running checksum of a file's content. */
export interface ContentHash {
  update(bytes: Uint8Array): void;
  /** Whether the content has the expected checksum. Call it once, after the last byte. */
  matches(): boolean;
}

/** Checksum of a file on the Hub: SHA-256 for large files, else git's SHA-1, which covers a header with the size. */
export function contentHash(file: RepositoryFile): ContentHash {
  return etagHash(etagOf(file), file.size);
}

/** Checksum of a cached file, of which only the etag (its name in the cache) and the size in bytes are known. */
export function etagHash(etag: string, size: number): ContentHash {
  const hash = createHash(etag.length === 64 ? 'sha256' : 'sha1');
  if (etag.length !== 64) hash.update(`blob ${size}\0`);
  return { update: (bytes) => void hash.update(bytes), matches: () => hash.digest('hex') === etag };
}
