import { join } from 'node:path';

/** Where the cache keeps a repository. */
export interface RepositoryFolder {
  /** `CACHE/models--OWNER--NAME`. */
  readonly root: string;
  readonly blobs: string;
  readonly refs: string;
  readonly snapshots: string;
  /** `CACHE/.locks/models--OWNER--NAME`. */
  readonly locks: string;
}

export function repositoryFolder(cacheFolder: string, id: string): RepositoryFolder {
  const name = `models--${id.replace('/', '--')}`;
  const root = join(cacheFolder, name);
  return {
    root,
    blobs: join(root, 'blobs'),
    refs: join(root, 'refs'),
    snapshots: join(root, 'snapshots'),
    locks: join(cacheFolder, '.locks', name),
  };
}
