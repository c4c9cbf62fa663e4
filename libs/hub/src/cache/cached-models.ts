import { lstat, readdir, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { checkRepositoryId, isRepositoryId } from '../repository/repository-id.ts';
import { filesBelow, ownSize, sum } from './folder-files.ts';
import { type RepositoryFolder, repositoryFolder } from './repository-folder.ts';
import { cachedCommit } from './snapshot-files.ts';

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
  /** Bytes on disk, including unfinished downloads. */
  readonly bytes: number;
  readonly revisions: readonly CachedRevision[];
  /** Bytes of unfinished downloads. */
  readonly incompleteBytes: number;
}

/** Lists the models in a cache folder, sorted by id. Read-only. */
export async function listCachedModels(cacheFolder: string): Promise<readonly CachedModel[]> {
  const names = await readdir(cacheFolder).catch(() => []);
  const ids = names
    .filter((name) => name.startsWith('models--'))
    .map((name) => name.slice('models--'.length).replace('--', '/'))
    .filter(isRepositoryId);
  return Promise.all(ids.toSorted().map((id) => describeModel(cacheFolder, id)));
}

async function describeModel(cacheFolder: string, id: string): Promise<CachedModel> {
  const repository = repositoryFolder(cacheFolder, id);
  const refs = await refsOf(repository);
  const revisions = await Promise.all(
    (await readdir(repository.snapshots).catch(() => [])).toSorted().map(async (commit) => {
      const folder = join(repository.snapshots, commit);
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
  return {
    id,
    folder: repository.root,
    bytes: sum(blobs.map(({ size }) => size)) + sum(copies),
    revisions,
    incompleteBytes: sum(incomplete.map(({ size }) => size)),
  };
}

/** Size of a file in bytes, with links followed; 0 if it does not exist. */
async function linkedSize(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function refsOf(repository: RepositoryFolder): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  for (const path of await filesBelow(repository.refs)) {
    const name = relative(repository.refs, path).split(sep).join('/');
    const commit = await cachedCommit(repository, name);
    if (commit !== undefined && !name.endsWith('.tmp')) refs.set(name, commit);
  }
  return refs;
}

/**
 * Removes all revisions of a model from the cache. Returns the freed bytes.
 * @throws Blip2Error `MISSING_FILE` if the model is not in the cache, `INVALID_ARGUMENT` for an invalid id.
 */
export async function removeCachedModel(cacheFolder: string, id: string): Promise<number> {
  checkRepositoryId(id);
  const { root, locks } = repositoryFolder(cacheFolder, id);
  if (!(await lstat(root).catch(() => undefined))?.isDirectory())
    throw new Blip2Error('MISSING_FILE', 'The model is not in the cache', {
      where: id,
      got: cacheFolder,
      fix: 'List the cached models with blip2 cache',
    });
  const { bytes } = await describeModel(cacheFolder, id);
  for (const folder of [root, locks]) await rm(folder, { recursive: true, force: true });
  return bytes;
}
