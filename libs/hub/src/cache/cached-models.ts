import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

import { isFolder } from '@blip2/files';

import { isCommit, isRepositoryId } from '../repository/repository-id.ts';
import { filesBelow, ownSize, sum } from './folder-files.ts';
import { type RepositoryFolder, repositoryFolder } from './repository-folder.ts';
import { allSharedBlobs, sharedBlobsOf } from './shared-blobs.ts';
import { cachedCommit, snapshotFolder } from './snapshot-files.ts';

/** A snapshot in the cache. */
export interface CachedRevision {
  readonly commit: string;
  /** Branches and tags that pointed to this commit when they were last resolved. */
  readonly refs: readonly string[];
  readonly folder: string;
  /** Size of its files in bytes. Snapshots share identical files. */
  readonly bytes: number;
  /** Number of files. */
  readonly files: number;
}

/** A model in the cache, downloaded by this package or by Python. */
export interface CachedModel {
  readonly id: string;
  readonly folder: string;
  /** Bytes on disk, including unfinished downloads and files shared with other models. */
  readonly bytes: number;
  /** Bytes in the store that all models of the cache share, which `huggingface_hub` writes. */
  readonly sharedBytes: number;
  readonly revisions: readonly CachedRevision[];
  /** Bytes of unfinished downloads. */
  readonly incompleteBytes: number;
}

/**
 * Lists the models in a cache folder, sorted by id. Read-only. Other files and folders in the cache, such as those that
 * a system leaves, are ignored.
 */
export async function listCachedModels(cacheFolder: string): Promise<readonly CachedModel[]> {
  const names = await readdir(cacheFolder).catch(() => []);
  const ids = names
    .filter((name) => name.startsWith('models--'))
    .map((name) => name.slice('models--'.length).replace('--', '/'))
    .filter((id) => isRepositoryId(id));
  const models = await Promise.all(
    ids
      .toSorted()
      .map(async (id) =>
        (await isFolder(repositoryFolder(cacheFolder, id).root)) ? describeModel(cacheFolder, id) : undefined,
      ),
  );
  return models.filter((model) => model !== undefined);
}

async function describeModel(cacheFolder: string, id: string): Promise<CachedModel> {
  const repository = repositoryFolder(cacheFolder, id);
  const refs = await cachedRefs(repository);
  const revisions = await Promise.all(
    (await cachedCommits(repository)).map(async (commit) => {
      const folder = snapshotFolder(repository, commit);
      const sizes = await Promise.all((await filesBelow(folder)).map(linkedSize));
      return {
        commit,
        refs: [...refs].filter(([, target]) => target === commit).map(([name]) => name),
        folder,
        bytes: sum(sizes),
        files: sizes.length,
      };
    }),
  );
  const blobs = await Promise.all(
    (await filesBelow(repository.blobs)).map(async (path) => ({ path, size: await linkedSize(path) })),
  );
  // A blob counts once, however many snapshots link to it. Files stored in a snapshot itself count there.
  const copies = await Promise.all((await filesBelow(repository.snapshots)).map(ownSize));
  const incomplete = blobs.filter(({ path }) => path.endsWith('.incomplete'));
  const shared = await sharedBlobsOf(
    cacheFolder,
    blobs.map(({ path }) => path),
  );
  return {
    id,
    folder: repository.root,
    bytes: sum(blobs.map(({ size }) => size)) + sum(copies),
    sharedBytes: sum(shared.map(({ bytes }) => bytes)),
    revisions,
    incompleteBytes: sum(incomplete.map(({ size }) => size)),
  };
}

/** Commits of the snapshots of a repository, sorted. A folder with another name is not a snapshot. */
export async function cachedCommits(repository: RepositoryFolder): Promise<readonly string[]> {
  const names = (await readdir(repository.snapshots).catch(() => [])).filter(isCommit).toSorted();
  const areFolders = await Promise.all(names.map((name) => isFolder(join(repository.snapshots, name))));
  return names.filter((_, index) => areFolders[index] === true);
}

/** Bytes of a cache folder. */
export interface CacheSize {
  /** Bytes on disk. A file that several models share counts once. */
  readonly bytes: number;
  /** Bytes of shared files that no model uses any more, which `pruneCache` deletes. */
  readonly unusedBytes: number;
}

/** Bytes that the listed models, and the files that they share, take up on disk. */
export async function cacheSize(cacheFolder: string, models: readonly CachedModel[]): Promise<CacheSize> {
  const shared = await allSharedBlobs(cacheFolder);
  return {
    bytes: sum(models.map(({ bytes, sharedBytes }) => bytes - sharedBytes)) + sum(shared.map(({ bytes }) => bytes)),
    unusedBytes: sum(shared.filter(({ references }) => references?.size === 0).map(({ bytes }) => bytes)),
  };
}

/** Size of a file in bytes, with links followed; 0 if it does not exist. */
async function linkedSize(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** Commits of branches and tags when they were last resolved, by name. */
export async function cachedRefs(repository: RepositoryFolder): Promise<ReadonlyMap<string, string>> {
  const refs = new Map<string, string>();
  for (const path of await filesBelow(repository.refs)) {
    const name = relative(repository.refs, path).split(sep).join('/');
    const commit = await cachedCommit(repository, name);
    if (commit !== undefined && !name.endsWith('.tmp')) refs.set(name, commit);
  }
  return refs;
}
