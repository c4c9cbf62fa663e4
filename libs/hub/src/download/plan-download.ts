import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { offlineError } from '../cache/cached-snapshot.ts';
import { type RepositoryFolder, repositoryFolder } from '../cache/repository-folder.ts';
import { fileSize, snapshotFolder } from '../cache/snapshot-files.ts';
import { readTreeCache } from '../cache/tree-cache.ts';
import { hubIo } from '../client/hub-io.ts';
import type { HubSession } from '../client/hub-request.ts';
import { type HubOptions, hubSettings } from '../client/hub-settings.ts';
import { neededFiles, type Wanted } from '../repository/needed-files.ts';
import { etagOf, fetchRevision, fetchTree, type RepositoryFile } from '../repository/repository-files.ts';
import { checkRepositoryId, checkRevision, isCommit } from '../repository/repository-id.ts';

/** What a download would bring. */
export interface DownloadPlan {
  readonly id: string;
  /** What was asked for. */
  readonly revision: string;
  /** What it is right now. */
  readonly commit: string;
  /**
   * The licence that the repository's card names (`mit`, `apache-2.0`), if it names one. Parts of a model may have
   * licences of their own.
   */
  readonly licence: string | undefined;
  /** The snapshot folder: what `fromPretrained` loads. */
  readonly folder: string;
  readonly files: readonly DownloadFile[];
  /** Bytes of all files, and of those that are not here yet. */
  readonly totalBytes: number;
  readonly missingBytes: number;
  /** Free bytes where the cache is, if the system says. */
  readonly freeBytes: number | undefined;
}

export interface DownloadFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly cached: boolean;
}

export interface PlanOptions extends HubOptions {
  /** A branch, a tag or a commit. Default `main`. */
  readonly revision?: string;
  readonly signal?: AbortSignal;
}

/** A plan, with what carrying it out needs besides. */
export interface PreparedDownload {
  readonly plan: DownloadPlan;
  readonly repository: RepositoryFolder;
  readonly wanted: Wanted;
  /** Of the whole commit, and those of it that are needed. */
  readonly tree: readonly RepositoryFile[];
  readonly needed: readonly RepositoryFile[];
}

export const DEFAULT_REVISION = 'main';

/**
 * What `fromPretrained` would download: files, sizes, licence. Only questions are asked, nothing is written.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`, `OFFLINE`, `MISSING_FILE` for a repository without
 * a usable model, `INVALID_ARGUMENT`.
 */
export async function planDownload(id: string, options: PlanOptions = {}): Promise<DownloadPlan> {
  const settings = await hubSettings(options);
  const session = { settings, io: hubIo, signal: options.signal };
  if (settings.offline) throw offlineError(id, 'Its files and sizes are not known without the network');
  return (await prepareDownload(session, id, options.revision ?? DEFAULT_REVISION, 'model')).plan;
}

/** Asks the hub. */
export async function prepareDownload(
  session: HubSession,
  id: string,
  revision: string,
  wanted: Wanted,
): Promise<PreparedDownload> {
  checkRepositoryId(id);
  checkRevision(revision);
  const repository = repositoryFolder(session.settings.cacheFolder, id);
  const { commit, licence } = await fetchRevision(session, id, revision);
  const tree = (await readTreeCache(repository, commit)) ?? (await fetchTree(session, id, commit));
  return prepare(session, { id, revision, commit, licence, repository, tree }, wanted);
}

/** Without asking, for a commit in full whose files are known. */
export async function prepareFromCache(
  session: HubSession,
  id: string,
  commit: string,
  wanted: Wanted,
): Promise<PreparedDownload | undefined> {
  const repository = repositoryFolder(session.settings.cacheFolder, id);
  const tree = isCommit(commit) ? await readTreeCache(repository, commit) : undefined;
  return tree && prepare(session, { id, revision: commit, commit, licence: undefined, repository, tree }, wanted);
}

interface Known
  extends Pick<DownloadPlan, 'id' | 'revision' | 'commit' | 'licence'>, Pick<PreparedDownload, 'repository' | 'tree'> {}

async function prepare(
  { settings }: HubSession,
  { repository, tree, ...known }: Known,
  wanted: Wanted,
): Promise<PreparedDownload> {
  const needed = neededFiles(tree, known.id, wanted);
  const folder = snapshotFolder(repository, known.commit);
  const files = await Promise.all(
    needed.map(async (file) => ({
      path: file.path,
      size: file.size,
      cached: await isCached(file, folder, repository),
    })),
  );
  const sum = (chosen: readonly DownloadFile[]): number => chosen.reduce((bytes, { size }) => bytes + size, 0);
  const plan: DownloadPlan = {
    ...known,
    folder,
    files,
    totalBytes: sum(files),
    missingBytes: sum(files.filter(({ cached }) => !cached)),
    freeBytes: await freeBytes(settings.cacheFolder),
  };
  return { plan, repository, wanted, tree, needed };
}

/** Size tells: contents are checked when they are downloaded, and by `verifyCachedModel`. */
async function isCached(file: RepositoryFile, folder: string, { blobs }: RepositoryFolder): Promise<boolean> {
  return (
    (await fileSize(join(folder, file.path))) === file.size || (await fileSize(join(blobs, etagOf(file)))) === file.size
  );
}

/** Of the deepest folder above that exists. */
async function freeBytes(folder: string): Promise<number | undefined> {
  const facts = await statfs(folder).catch(() => undefined);
  if (facts) return facts.bavail * facts.bsize;
  return dirname(folder) === folder ? undefined : freeBytes(dirname(folder));
}
