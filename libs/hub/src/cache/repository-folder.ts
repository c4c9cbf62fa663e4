import { join } from 'node:path';

/** Paths of a repository in the cache, in the layout of Python's `huggingface_hub`. */
export interface RepositoryFolder {
  /** `CACHE/models--OWNER--NAME`. */
  readonly root: string;
  /** File contents, named by their etags. */
  readonly blobs: string;
  /** One file per branch or tag, which contains its commit. */
  readonly refs: string;
  /** One folder per commit, with links to blobs. */
  readonly snapshots: string;
  /** `CACHE/.locks/models--OWNER--NAME`. */
  readonly locks: string;
}

/** Paths of the repository `id` in the cache. */
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
