import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { INDEX_FILE, PICKLED_FILE, readShardIndex, SINGLE_FILE } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { neededFiles, SMALL_FILES, type Wanted } from '../repository/needed-files.ts';
import { repositoryFolder } from './repository-folder.ts';
import { cachedCommit, fileSize, snapshotFolder } from './snapshot-files.ts';
import { readTreeCache } from './tree-cache.ts';

/**
 * The snapshot folder of a model that is in the cache with all that is wanted of it. Never asks the network. @throws
 * Blip2Error `OFFLINE`.
 */
export async function cachedSnapshot(
  cacheFolder: string,
  id: string,
  revision: string,
  wanted: Wanted,
): Promise<string> {
  const repository = repositoryFolder(cacheFolder, id);
  const commit = await cachedCommit(repository, revision);
  if (commit === undefined)
    throw offlineError(id, 'There is no folder of this name, and the model is not in the cache', cacheFolder);
  const folder = snapshotFolder(repository, commit);
  const tree = await readTreeCache(repository, commit);
  const needed = tree ? neededFiles(tree, id, wanted) : await essentialFiles(folder, wanted);
  const missing: string[] = [];
  for (const { path, size } of needed) {
    const found = await fileSize(join(folder, path));
    if (found === undefined || (size !== undefined && found !== size)) missing.push(path);
  }
  if (missing.length === 0) return folder;
  throw offlineError(
    id,
    'The model in the cache is not complete',
    folder,
    missing.slice(0, 3).join(', ') + (missing.length > 3 ? ` and ${missing.length - 3} more` : ''),
  );
}

/** Of a snapshot without a listing, as older Python clients leave them: what it cannot do without. */
async function essentialFiles(
  folder: string,
  wanted: Wanted,
): Promise<readonly { readonly path: string; readonly size?: number }[]> {
  const names = await readdir(folder).catch(() => []);
  const files =
    wanted === 'model'
      ? ['config.json', ...(await essentialWeights(folder, names))]
      : names.some((name) => SMALL_FILES.processor.has(name))
        ? []
        : ['tokenizer.json'];
  return files.map((path) => ({ path }));
}

async function essentialWeights(folder: string, names: readonly string[]): Promise<Iterable<string>> {
  if (!names.includes(SINGLE_FILE) && (await fileSize(join(folder, INDEX_FILE))) !== undefined)
    return new Set((await readShardIndex(join(folder, INDEX_FILE))).values());
  // What is wrong with weights of another kind is said by whoever opens them.
  return names.some((name) => PICKLED_FILE.test(name)) ? [] : [SINGLE_FILE];
}

export function offlineError(id: string, what: string, where: string = id, missing?: string): Blip2Error {
  return new Blip2Error('OFFLINE', what, {
    where,
    ...(missing !== undefined && { got: `no ${missing}` }),
    fix: `Download ${id} while there is a network: blip2 download ${id}, or without localFilesOnly, --offline and HF_HUB_OFFLINE`,
  });
}
