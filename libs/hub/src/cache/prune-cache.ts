import { readlink, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { listCachedModels } from './cached-models.ts';
import { filesBelow, ownSize, sum } from './folder-files.ts';
import { abandonedPartials } from './partial-file.ts';
import { repositoryFolder } from './repository-folder.ts';

/** Files that `pruneCache` deletes. */
export interface PrunePlan {
  readonly files: readonly string[];
  readonly bytes: number;
}

/**
 * Finds what no branch or tag uses any more: snapshots of old commits, blobs without a snapshot, and abandoned
 * downloads. Read-only. Models without any ref, which were only requested by commit, keep their snapshots.
 */
export async function planPrune(cacheFolder: string): Promise<PrunePlan> {
  const files: string[] = [];
  let bytes = 0;
  for (const { id, revisions } of await listCachedModels(cacheFolder)) {
    const repository = repositoryFolder(cacheFolder, id);
    const detached = revisions.some(({ refs }) => refs.length > 0)
      ? revisions.filter(({ refs }) => refs.length === 0)
      : [];
    const used = new Set<string>();
    for (const revision of revisions)
      if (!detached.includes(revision)) for (const name of await linkedBlobs(revision.folder)) used.add(name);
    const partials = new Set(await abandonedPartials(repository.blobs));
    for (const path of await filesBelow(repository.blobs)) {
      const name = basename(path);
      if (name.endsWith('.incomplete') ? !partials.has(path) : used.has(name)) continue;
      files.push(path);
      bytes += await ownSize(path);
    }
    for (const { folder, commit } of detached) {
      files.push(folder, join(repository.root, 'trees', `${commit}.json`));
      bytes += sum(await Promise.all((await filesBelow(folder)).map(ownSize)));
    }
  }
  return { files, bytes };
}

async function linkedBlobs(snapshot: string): Promise<string[]> {
  const targets = await Promise.all((await filesBelow(snapshot)).map((path) => readlink(path).catch(() => undefined)));
  return targets.filter((target) => target !== undefined).map((target) => basename(target));
}

/** Deletes the files of a plan. Do not run it while Python downloads into the same cache. */
export async function pruneCache({ files }: PrunePlan): Promise<void> {
  // Snapshots first, so that no link is ever broken.
  const isBlob = (path: string): boolean => /[\\/]blobs[\\/][^\\/]+$/.test(path);
  for (const path of files.toSorted((a, b) => Number(isBlob(a)) - Number(isBlob(b))))
    await rm(path, { recursive: true, force: true });
}
