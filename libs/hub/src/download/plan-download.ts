import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { offlineError } from '../cache/cached-snapshot.ts';
import { type RepositoryFolder, repositoryFolder } from '../cache/repository-folder.ts';
import { fileSize, snapshotFolder } from '../cache/snapshot-files.ts';
import { readTreeCache } from '../cache/tree-cache.ts';
import { hubIo } from '../client/hub-io.ts';
import type { HubSession } from '../client/hub-request.ts';
import { type HubOptions, hubSettings } from '../client/hub-settings.ts';
import { type DownloadScope, neededFiles } from '../repository/needed-files.ts';
import { etagOf, fetchRevision, fetchTree, type RepositoryFile } from '../repository/repository-files.ts';
import { checkRepositoryId, checkRevision, DEFAULT_REVISION, isCommit } from '../repository/repository-id.ts';
import { cachedPaths, cachedShardNames, type FetchedIndex, fetchIndex, indexEntry } from '../repository/shard-files.ts';

/** Files and sizes of a download. */
export interface DownloadPlan {
  readonly id: string;
  /** The requested branch, tag or commit. */
  readonly revision: string;
  /** The commit that it currently resolves to. */
  readonly commit: string;
  /** Licence in the model card (`mit`, `apache-2.0`), if any. Parts of a model may have other licences. */
  readonly licence: string | undefined;
  /** The snapshot folder, which `fromPretrained` loads. */
  readonly folder: string;
  readonly files: readonly DownloadFile[];
  /** Bytes of all files. */
  readonly totalBytes: number;
  /** Bytes of the files that are not in the cache. */
  readonly missingBytes: number;
  /** Free bytes on the file system of the cache, if known. */
  readonly freeBytes: number | undefined;
}

/** A file of a download plan. */
export interface DownloadFile {
  /** Path in the repository. */
  readonly path: string;
  /** Size in bytes. */
  readonly size: number;
  /** Whether the file is in the cache already. */
  readonly cached: boolean;
}

/** Options of `planDownload`. */
export interface PlanOptions extends HubOptions {
  /** A branch, a tag or a commit. Default `main`. */
  readonly revision?: string;
  readonly signal?: AbortSignal;
}

/** A plan, with the data needed to execute it. */
export interface PreparedDownload {
  readonly plan: DownloadPlan;
  readonly repository: RepositoryFolder;
  readonly scope: DownloadScope;
  /** All files of the commit. */
  readonly tree: readonly RepositoryFile[];
  /** The files of the plan. */
  readonly needed: readonly RepositoryFile[];
  /** The shard index, if it was not in the cache. */
  readonly fetchedIndex?: FetchedIndex;
}

/**
 * Returns the files, sizes and licence of the download that `fromPretrained` would start. Writes nothing.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`, `OFFLINE`, `INTEGRITY_FAILED`, `MISSING_FILE`,
 * `INVALID_CHECKPOINT` or `UNSAFE_PATH` for a repository without a usable model, `INVALID_ARGUMENT`; the signal's
 * reason.
 */
export async function planDownload(id: string, options: PlanOptions = {}): Promise<DownloadPlan> {
  const settings = await hubSettings(options);
  const session = { settings, io: hubIo, signal: options.signal };
  if (settings.offline) throw offlineError(id, 'Files and sizes are not known without the network');
  return (await prepareDownload(session, id, options.revision ?? DEFAULT_REVISION, 'model')).plan;
}

/**
 * Plans a download with the Hub's current data.
 * @throws Blip2Error as `planDownload`.
 */
export async function prepareDownload(
  session: HubSession,
  id: string,
  revision: string,
  scope: DownloadScope,
): Promise<PreparedDownload> {
  checkRepositoryId(id);
  checkRevision(revision);
  const repository = repositoryFolder(session.settings.cacheFolder, id);
  const { commit, licence } = await fetchRevision(session, id, revision);
  const tree = (await readTreeCache(repository, commit)) ?? (await fetchTree(session, id, commit));
  const resolved = { id, revision, commit, licence, repository, tree };
  const index = scope === 'model' ? indexEntry(tree) : undefined;
  const shards = index && (await cachedShards(index, resolved));
  if (!index || shards) return prepare(session, resolved, scope, shards);
  const fetchedIndex = await fetchIndex(session, resolved, index);
  return { ...(await prepare(session, resolved, scope, fetchedIndex.shards)), fetchedIndex };
}

/** Plans a download without the network, for a full commit hash whose listing is cached; else `undefined`. */
export async function prepareFromCache(
  session: HubSession,
  id: string,
  commit: string,
  scope: DownloadScope,
): Promise<PreparedDownload | undefined> {
  const repository = repositoryFolder(session.settings.cacheFolder, id);
  const tree = isCommit(commit) ? await readTreeCache(repository, commit) : undefined;
  if (!tree) return undefined;
  const resolved = { id, revision: commit, commit, licence: undefined, repository, tree };
  const index = scope === 'model' ? indexEntry(tree) : undefined;
  const shards = index && (await cachedShards(index, resolved));
  return index && !shards ? undefined : prepare(session, resolved, scope, shards);
}

function cachedShards(index: RepositoryFile, { repository, commit }: ResolvedRevision): Promise<Shards> {
  return cachedShardNames(index, cachedPaths(index, snapshotFolder(repository, commit), repository.blobs));
}

interface ResolvedRevision
  extends Pick<DownloadPlan, 'id' | 'revision' | 'commit' | 'licence'>, Pick<PreparedDownload, 'repository' | 'tree'> {}

/** Names of the shards; `undefined` if the weights are not sharded, or the index is not known. */
type Shards = ReadonlySet<string> | undefined;

async function prepare(
  { settings }: HubSession,
  { repository, tree, ...revision }: ResolvedRevision,
  scope: DownloadScope,
  shards: Shards,
): Promise<PreparedDownload> {
  const needed = neededFiles(tree, revision.id, scope, shards);
  const folder = snapshotFolder(repository, revision.commit);
  const files = await Promise.all(
    needed.map(async (file) => ({
      path: file.path,
      size: file.size,
      cached: await isCached(file, folder, repository),
    })),
  );
  const sum = (chosen: readonly DownloadFile[]): number => chosen.reduce((bytes, { size }) => bytes + size, 0);
  const plan: DownloadPlan = {
    ...revision,
    folder,
    files,
    totalBytes: sum(files),
    missingBytes: sum(files.filter(({ cached }) => !cached)),
    freeBytes: await freeBytes(settings.cacheFolder),
  };
  return { plan, repository, scope, tree, needed };
}

/** Compares sizes only: checksums are compared by the download and by `verifyCachedModel`. */
async function isCached(file: RepositoryFile, folder: string, { blobs }: RepositoryFolder): Promise<boolean> {
  return (
    (await fileSize(join(folder, file.path))) === file.size || (await fileSize(join(blobs, etagOf(file)))) === file.size
  );
}

/** Free bytes on the file system of the deepest existing parent. */
async function freeBytes(folder: string): Promise<number | undefined> {
  const facts = await statfs(folder).catch(() => undefined);
  if (facts) return facts.bavail * facts.bsize;
  return dirname(folder) === folder ? undefined : freeBytes(dirname(folder));
}
