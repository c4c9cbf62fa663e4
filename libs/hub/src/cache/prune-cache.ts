import { readlink, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

import { wrapWriteErrors } from '@blip2/files';

import { type HubIo, hubIo } from '../client/hub-io.ts';
import { listCachedModels } from './cached-models.ts';
import { abandonedPartials } from './find-partials.ts';
import { filesBelow } from './folder-files.ts';
import { freedBytes, regularBytes } from './freed-bytes.ts';
import { repositoryFolder } from './repository-folder.ts';
import { allSharedBlobs, sharedBlobsOf, sweepSharedBlob } from './shared-blobs.ts';
import { fileSize } from './snapshot-files.ts';
import { treeFiles } from './tree-cache.ts';

/** Files that `pruneCache` deletes. */
export interface PrunePlan {
  /** Files and folders, including those of the shared store that no model uses then. */
  readonly files: readonly string[];
  /** Bytes on disk that are freed. */
  readonly bytes: number;
}

/** Names of blobs: checksums. Other files in a blob folder are not ours. */
const BLOB_NAME = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * Finds what no branch or tag uses any more: snapshots of old commits, blobs without a snapshot, files of the shared
 * store without a blob, and abandoned downloads. Read-only. Models without any ref, which were only requested by
 * commit,
 * keep their snapshots. Old downloads of other programs and machines are watched for some seconds.
 * @throws the signal's reason.
 */
export async function planPrune(
  cacheFolder: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
  { sleep }: Pick<HubIo, 'sleep'> = hubIo,
): Promise<PrunePlan> {
  const files: string[] = [];
  const folders: string[] = [];
  const listings: string[] = [];
  for (const { id, revisions } of await listCachedModels(cacheFolder)) {
    const repository = repositoryFolder(cacheFolder, id);
    const detached = revisions.some(({ refs }) => refs.length > 0)
      ? revisions.filter(({ refs }) => refs.length === 0)
      : [];
    const used = new Set<string>();
    for (const revision of revisions)
      if (!detached.includes(revision)) for (const name of await linkedBlobs(revision.folder)) used.add(name);
    const partials = new Set(await abandonedPartials(repository.blobs, sleep, signal));
    for (const path of await filesBelow(repository.blobs))
      if (partials.has(path) || (BLOB_NAME.test(basename(path)) && !used.has(basename(path)))) files.push(path);
    for (const { folder, commit } of detached) {
      folders.push(folder);
      for (const listing of treeFiles(repository, commit))
        if ((await fileSize(listing)) !== undefined) listings.push(listing);
    }
  }
  const inFolders = (await Promise.all(folders.map(filesBelow))).flat();
  const gone = new Set(files);
  const unused = (await allSharedBlobs(cacheFolder)).filter(
    ({ references }) => references && [...references].every((blob) => gone.has(blob)),
  );
  const orphans = unused.filter(({ references }) => references?.size === 0);
  return {
    files: [...files, ...folders, ...listings, ...unused.map(({ path }) => path)],
    bytes:
      (await freedBytes(cacheFolder, [...files, ...inFolders])) + orphans.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

async function linkedBlobs(snapshot: string): Promise<string[]> {
  const targets = await Promise.all((await filesBelow(snapshot)).map((path) => readlink(path).catch(() => undefined)));
  return targets.filter((target) => target !== undefined).map((target) => basename(target));
}

/**
 * Deletes the files of a plan, and returns the freed bytes. Do not run it while Python downloads into the same cache.
 * @throws Blip2Error `WRITE_FAILED`
 */
export async function pruneCache({ files }: PrunePlan): Promise<number> {
  // Snapshots first, so that no link is ever broken.
  const isStored = (path: string): boolean => /[\\/]blobs[\\/][0-9a-f]{2}[\\/][0-9a-f]{64}$/.test(path);
  const blobs = files.filter((path) => /[\\/]blobs[\\/][^\\/]+$/.test(path));
  const others = files.filter((path) => !isStored(path) && !blobs.includes(path));
  const stored = new Map(files.filter(isStored).map((path) => [path, dirname(dirname(dirname(path)))]));
  for (const blob of blobs) {
    const cacheFolder = dirname(dirname(dirname(blob)));
    for (const { path } of await sharedBlobsOf(cacheFolder, [blob])) stored.set(path, cacheFolder);
  }
  // Listings, which are small, do not count.
  const inside = await Promise.all(others.map(filesBelow));
  let freed = await regularBytes([...inside.flat(), ...blobs]);
  for (const path of [...others, ...blobs]) await wrapWriteErrors(path, rm(path, { recursive: true, force: true }));
  for (const [path, cacheFolder] of stored) freed += await sweepSharedBlob(cacheFolder, path);
  return freed;
}
