import { lstat, realpath, rm } from 'node:fs/promises';

import { wrapWriteErrors } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { checkRepositoryId } from '../repository/repository-id.ts';
import { filesBelow } from './folder-files.ts';
import { freedBytes, regularBytes } from './freed-bytes.ts';
import { type RepositoryFolder, repositoryFolder } from './repository-folder.ts';
import { sharedBlobsOf, sweepSharedBlob } from './shared-blobs.ts';

/** A model to remove. */
export interface Removal {
  readonly id: string;
  /** Bytes on disk that are freed. Files that other models use stay. */
  readonly bytes: number;
}

/**
 * Bytes that `removeCachedModel` frees for each model, if they are removed in this order: a file that two of them share
 * is freed with the second. Read-only.
 * @throws Blip2Error as `removeCachedModel`.
 */
export async function planRemoval(cacheFolder: string, ids: readonly string[]): Promise<readonly Removal[]> {
  const removals: Removal[] = [];
  const deleted: string[] = [];
  for (const id of ids) {
    const files = await contentsOf(await existingModel(cacheFolder, id));
    removals.push({ id, bytes: await freedBytes(cacheFolder, files, deleted) });
    deleted.push(...files);
  }
  return removals;
}

/**
 * Removes all revisions of a model from the cache, and the files of the shared store that no other model uses. Returns
 * the freed bytes. Do not run it while Python downloads into the same cache.
 * @throws Blip2Error `MISSING_FILE` if the model is not in the cache, `INVALID_ARGUMENT` for an invalid id or a model
 * folder that is a link, `WRITE_FAILED`.
 */
export async function removeCachedModel(cacheFolder: string, id: string): Promise<number> {
  const repository = await existingModel(cacheFolder, id);
  const files = await contentsOf(repository);
  const shared = await sharedBlobsOf(cacheFolder, files);
  let freed = await regularBytes(files);
  for (const folder of [repository.root, repository.locks])
    await wrapWriteErrors(folder, rm(folder, { recursive: true, force: true }));
  for (const { path } of shared) freed += await sweepSharedBlob(cacheFolder, path);
  return freed;
}

/** Files that count: contents, not the small files that describe the repository. */
async function contentsOf({ blobs, snapshots }: RepositoryFolder): Promise<readonly string[]> {
  return [...(await filesBelow(blobs)), ...(await filesBelow(snapshots))];
}

async function existingModel(cacheFolder: string, id: string): Promise<RepositoryFolder> {
  checkRepositoryId(id);
  const repository = repositoryFolder(cacheFolder, id);
  const facts = await lstat(repository.root).catch(() => undefined);
  if (facts?.isDirectory()) return repository;
  if (facts?.isSymbolicLink())
    throw new Blip2Error('INVALID_ARGUMENT', 'The folder of the model is a link, which is not removed', {
      where: repository.root,
      got: await realpath(repository.root).catch(() => 'a broken link'),
      fix: 'Delete the link and the folder that it leads to',
    });
  throw new Blip2Error('MISSING_FILE', 'The model is not in the cache', {
    where: id,
    got: cacheFolder,
    fix: 'List the cached models with blip2 cache',
  });
}
