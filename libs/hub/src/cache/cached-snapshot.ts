import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

import { INDEX_FILE, OPEN_CLIP_CONFIG, OPEN_CLIP_FILE, PICKLED_FILE, readShardIndex, SINGLE_FILE } from '@blip2/files';
import { Blip2Error, defined } from '@blip2/interfaces';

import {
  ADAPTER_CONFIG,
  ADAPTER_WEIGHTS,
  CONFIG_FILE,
  type DownloadScope,
  neededFiles,
  SMALL_FILES,
} from '../repository/needed-files.ts';
import type { RepositoryFile } from '../repository/repository-files.ts';
import { DEFAULT_REVISION } from '../repository/repository-id.ts';
import { cachedPaths, cachedShardNames, indexEntry } from '../repository/shard-files.ts';
import { cachedCommits, cachedRefs } from './cached-models.ts';
import { type RepositoryFolder, repositoryFolder } from './repository-folder.ts';
import { cachedCommit, fileSize, snapshotFolder } from './snapshot-files.ts';
import { readTreeCache } from './tree-cache.ts';

/**
 * Finds the snapshot folder of a model whose needed files are all in the cache. Never uses the network.
 * @throws Blip2Error `OFFLINE` if the model or a file is not in the cache.
 */
export async function cachedSnapshot(
  cacheFolder: string,
  id: string,
  revision: string,
  scope: DownloadScope,
): Promise<string> {
  const repository = repositoryFolder(cacheFolder, id);
  const commit = await commitInCache(repository, revision);
  if (commit === undefined) throw await notCached(repository, id, revision, cacheFolder);
  const folder = snapshotFolder(repository, commit);
  const tree = await readTreeCache(repository, commit);
  const shards = tree && (await shardsOf(tree, scope, folder, repository.blobs));
  const needed = tree ? neededFiles(tree, id, scope, shards) : await essentialFiles(folder, scope);
  const isIndexUnusable = tree !== undefined && scope === 'model' && indexEntry(tree) !== undefined && !shards;
  const missing: string[] = isIndexUnusable ? [INDEX_FILE] : [];
  for (const { path, size } of needed) {
    const found = await fileSize(join(folder, path));
    if ((found === undefined || (size !== undefined && found !== size)) && !missing.includes(path)) missing.push(path);
  }
  if (missing.length === 0) return folder;
  throw offlineError(
    id,
    'The model in the cache is not complete',
    folder,
    missing.slice(0, 3).join(', ') + (missing.length > 3 ? ` and ${missing.length - 3} more` : ''),
  );
}

/**
 * The commit of a revision when it was last resolved. If nothing in the cache names the commit of any branch or tag
 * (the
 * model was downloaded by commit, or copied without `refs`), the default branch is the only snapshot.
 */
export async function commitInCache(repository: RepositoryFolder, revision: string): Promise<string | undefined> {
  const commit = await cachedCommit(repository, revision);
  if (commit !== undefined || revision !== DEFAULT_REVISION || (await cachedRefs(repository)).size > 0) return commit;
  const [only, ...others] = await cachedCommits(repository);
  return others.length === 0 ? only : undefined;
}

/** The error for a revision that is not in the cache, which names those that are. */
async function notCached(
  repository: RepositoryFolder,
  id: string,
  revision: string,
  cacheFolder: string,
): Promise<Blip2Error> {
  const commits = await cachedCommits(repository);
  const [first] = commits;
  if (first === undefined)
    return offlineError(id, 'The folder does not exist, and the model is not in the cache', cacheFolder);
  return new Blip2Error('OFFLINE', `The cache has the model, but not at the revision ${revision}`, {
    where: snapshotFolder(repository, first),
    expected: revision,
    got: commits.join(', '),
    fix:
      `Use --revision ${first}, the revision option, or that folder; ` +
      `or run blip2 download ${id} with network access`,
  });
}

/** Names of the shards of a cached snapshot; `undefined` if its weights are not sharded or the index is not cached. */
export async function shardsOf(
  tree: readonly RepositoryFile[],
  scope: DownloadScope,
  folder: string,
  blobs: string,
): Promise<ReadonlySet<string> | undefined> {
  const index = scope === 'model' ? indexEntry(tree) : undefined;
  return index && cachedShardNames(index, cachedPaths(index, folder, blobs));
}

/** The minimum files of a snapshot without a listing, which older Python clients do not write. */
async function essentialFiles(
  folder: string,
  scope: DownloadScope,
): Promise<readonly { readonly path: string; readonly size?: number }[]> {
  const names = await readdir(folder).catch(() => []);
  const files =
    scope === 'model'
      ? await essentialModelFiles(folder, names)
      : names.some((name) => SMALL_FILES.processor.has(name))
        ? []
        : ['tokenizer.json'];
  return files.map((path) => ({ path }));
}

async function essentialModelFiles(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const isAdapter = names.includes(ADAPTER_CONFIG) && !names.includes(SINGLE_FILE) && !names.includes(INDEX_FILE);
  if (isAdapter) return [ADAPTER_CONFIG, ADAPTER_WEIGHTS];
  const isOpenClip = !names.includes(CONFIG_FILE) && names.includes(OPEN_CLIP_CONFIG);
  return [isOpenClip ? OPEN_CLIP_CONFIG : CONFIG_FILE, ...(await essentialWeights(folder, names))];
}

async function essentialWeights(folder: string, names: readonly string[]): Promise<Iterable<string>> {
  if (!names.includes(SINGLE_FILE) && (await fileSize(join(folder, INDEX_FILE))) !== undefined)
    return new Set((await readShardIndex(await realpath(join(folder, INDEX_FILE)))).values());
  if (!names.includes(SINGLE_FILE) && names.includes(OPEN_CLIP_FILE)) return [OPEN_CLIP_FILE];
  // Pickled weights are reported when the model is opened.
  return names.some((name) => PICKLED_FILE.test(name)) ? [] : [SINGLE_FILE];
}

/** Creates the error for something that is not in the cache and cannot be downloaded. */
export function offlineError(id: string, what: string, where: string = id, missing?: string): Blip2Error {
  return new Blip2Error('OFFLINE', what, {
    where,
    fix: `Run blip2 download ${id} with network access, or load without localFilesOnly, --offline and HF_HUB_OFFLINE`,
    ...defined({ got: missing === undefined ? undefined : `no ${missing}` }),
  });
}
