import { lstat, readdir, readlink, rm, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { checkRepositoryId, isRepositoryId } from '../repository/repository-id.ts';
import { abandonedPartials } from './partial-file.ts';
import { type RepositoryFolder, repositoryFolder } from './repository-folder.ts';
import { cachedCommit } from './snapshot-files.ts';

/** A snapshot in the cache. */
export interface CachedRevision {
  readonly commit: string;
  /** Branches and tags that were this commit when they were last asked for. */
  readonly refs: readonly string[];
  readonly folder: string;
  /** Bytes of its files; snapshots share those that are the same. */
  readonly bytes: number;
  readonly files: number;
}

/** A model in the cache, whoever put it there. */
export interface CachedModel {
  readonly id: string;
  readonly folder: string;
  /** Bytes on disk, unfinished downloads included. */
  readonly bytes: number;
  readonly revisions: readonly CachedRevision[];
  /** Bytes of unfinished downloads. */
  readonly incompleteBytes: number;
}

/** What `pruneCache` takes away. */
export interface PrunePlan {
  readonly files: readonly string[];
  readonly bytes: number;
}

/** The models in a cache folder, by id. Nothing is changed. */
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
      const sizes = await Promise.all(
        (await filesBelow(folder)).map(async (path) => (await stat(path).catch(() => undefined))?.size ?? 0),
      );
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
    (await filesBelow(repository.blobs)).map(async (path) => ({
      path,
      size: (await stat(path).catch(() => undefined))?.size ?? 0,
    })),
  );
  // Links count where they lead to, once; files that lie in a snapshot themselves count there.
  const copies = await Promise.all((await filesBelow(repository.snapshots)).map(async (path) => await ownSize(path)));
  const incomplete = blobs.filter(({ path }) => path.endsWith('.incomplete'));
  return {
    id,
    folder: repository.root,
    bytes: sum(blobs.map(({ size }) => size)) + sum(copies),
    revisions,
    incompleteBytes: sum(incomplete.map(({ size }) => size)),
  };
}

async function ownSize(path: string): Promise<number> {
  const facts = await lstat(path).catch(() => undefined);
  return facts?.isFile() ? facts.size : 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Files and links below a folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
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
 * Takes a model out of the cache, all of its revisions. Returns the bytes. @throws Blip2Error `MISSING_FILE` if it is
 * not there, `INVALID_ARGUMENT`.
 */
export async function removeCachedModel(cacheFolder: string, id: string): Promise<number> {
  checkRepositoryId(id);
  const { root, locks } = repositoryFolder(cacheFolder, id);
  if (!(await lstat(root).catch(() => undefined))?.isDirectory())
    throw new Blip2Error('MISSING_FILE', 'The model is not in the cache', { where: id, got: cacheFolder });
  const { bytes } = await describeModel(cacheFolder, id);
  for (const folder of [root, locks]) await rm(folder, { recursive: true, force: true });
  return bytes;
}

/**
 * What no branch and no tag leads to any more: snapshots of old commits, blobs that no snapshot uses, downloads that
 * were begun and given up. A model
 * that was only ever asked for by commits is left as it is.
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

/** Takes away what `planPrune` found. Not to be done while Python downloads into the same cache. */
export async function pruneCache({ files }: PrunePlan): Promise<void> {
  // Folders of snapshots first: no link shall lead nowhere.
  const isBlob = (path: string): boolean => /[\\/]blobs[\\/][^\\/]+$/.test(path);
  for (const path of files.toSorted((a, b) => Number(isBlob(a)) - Number(isBlob(b))))
    await rm(path, { recursive: true, force: true });
}
