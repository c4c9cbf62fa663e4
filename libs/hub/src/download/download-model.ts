import { dirname, join } from 'node:path';

import { acquireLock, makeFolder, syncFolder, wrapWriteErrors } from '@blip2/files';
import { Blip2Error, type LoadProgress } from '@blip2/interfaces';

import { cachedSnapshot } from '../cache/cached-snapshot.ts';
import { removeLeftovers, resumablePartials } from '../cache/partial-file.ts';
import { canLink, copyBlob, fileSize, linkBlob, tagCacheFolder, writeRef } from '../cache/snapshot-files.ts';
import { writeTreeCache } from '../cache/tree-cache.ts';
import { type HubIo, hubIo } from '../client/hub-io.ts';
import type { HubSession } from '../client/hub-request.ts';
import { hubSettings } from '../client/hub-settings.ts';
import type { Wanted } from '../repository/needed-files.ts';
import { etagOf, type RepositoryFile } from '../repository/repository-files.ts';
import { checkRepositoryId, checkRevision } from '../repository/repository-id.ts';
import { downloadBlob } from './download-blob.ts';
import { inParallel } from './in-parallel.ts';
import {
  DEFAULT_REVISION,
  type DownloadPlan,
  type PlanOptions,
  type PreparedDownload,
  prepareDownload,
  prepareFromCache,
} from './plan-download.ts';

export interface DownloadOptions extends PlanOptions {
  readonly onProgress?: (progress: LoadProgress) => void;
  /**
   * Called once before anything is downloaded, and not at all if everything is here: sizes and licence. What it throws
   * ends the download.
   */
  readonly onPlan?: (plan: DownloadPlan) => void;
}

/** Files that are on their way together. */
const MAX_PARALLEL = 4;
/** Space that is asked for: what will be written and a twentieth, because other programs write too. */
const SPACE_MARGIN = 1.05;

/**
 * The folder of a hub model in the cache that Python's clients use too; what is missing is downloaded. No file is ever
 * under its name unless it is whole
 * and has the checksum that the hub gives. If the hub cannot be reached, a model that is in the cache will do.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`, `OFFLINE`, `WRITE_FAILED`,
 * `MISSING_FILE`, `INVALID_ARGUMENT`; the signal's reason.
 */
export function downloadModel(id: string, options: DownloadOptions = {}, io: HubIo = hubIo): Promise<string> {
  return download(id, 'model', options, io);
}

/**
 * The same of what a processor and its tokenizers are made of: no configuration of a model, no weights. @throws
 * Blip2Error as `downloadModel`; `MISSING_FILE` if there is nothing of a processor.
 */
export function downloadProcessor(id: string, options: DownloadOptions = {}, io: HubIo = hubIo): Promise<string> {
  return download(id, 'processor', options, io);
}

async function download(id: string, wanted: Wanted, options: DownloadOptions, io: HubIo): Promise<string> {
  const { revision = DEFAULT_REVISION, signal } = options;
  signal?.throwIfAborted();
  checkRepositoryId(id);
  checkRevision(revision);
  const settings = await hubSettings(options);
  const fromCache = (): Promise<string> => cachedSnapshot(settings.cacheFolder, id, revision, wanted);
  if (settings.offline) return fromCache();
  const session = { settings, io, signal };
  const known = await prepareFromCache(session, id, revision, wanted);
  if (known && (await isComplete(known))) return known.plan.folder;
  const prepared = await prepareDownload(session, id, revision, wanted).catch(async (error: unknown) => {
    // The cache may have it. If not, what went wrong with the hub is the news.
    if (!(error instanceof Blip2Error) || error.code !== 'DOWNLOAD_FAILED') throw error;
    return fromCache().catch(() => {
      throw error;
    });
  });
  if (typeof prepared === 'string') return prepared;
  await downloadMissing(session, prepared, options);
  return prepared.plan.folder;
}

async function isComplete({ plan: { folder }, needed }: PreparedDownload): Promise<boolean> {
  const sizes = await Promise.all(needed.map(({ path }) => fileSize(join(folder, path))));
  return needed.every(({ size }, index) => sizes[index] === size);
}

async function downloadMissing(
  session: HubSession,
  prepared: PreparedDownload,
  { onPlan, onProgress }: DownloadOptions,
): Promise<void> {
  const { plan, repository, needed, tree } = prepared;
  if (await isComplete(prepared)) {
    // The cache may be one that can only be read.
    return moveRef(session, prepared).catch(() => {});
  }
  if (plan.missingBytes > 0) onPlan?.(plan);
  await expectSpace(prepared);
  await tagCacheFolder(session.settings.cacheFolder);
  for (const folder of [repository.blobs, plan.folder]) await wrapWriteErrors(folder, makeFolder(folder));
  await writeTreeCache(repository, plan.commit, tree);
  await inParallel(needed, MAX_PARALLEL, session.signal, (file, signal) =>
    downloadFile({ ...session, signal }, prepared, file, onProgress),
  );
  await removeLeftovers(repository.blobs, new Set(needed.map(etagOf)));
  await syncFolder(repository.blobs);
  await moveRef(session, prepared);
}

/**
 * Keeps which commit a branch or tag is. A processor alone takes no branch away from a whole model: offline, nothing
 * would lead to that any more.
 */
async function moveRef(
  { settings }: HubSession,
  { plan: { id, revision, commit }, repository, wanted }: PreparedDownload,
): Promise<void> {
  const leadsToModel = (): Promise<boolean> =>
    cachedSnapshot(settings.cacheFolder, id, revision, 'model').then(
      () => true,
      () => false,
    );
  if (wanted === 'model' || !(await leadsToModel())) await writeRef(repository, revision, commit);
}

async function expectSpace({
  plan: { files, missingBytes, freeBytes, folder },
  repository: { blobs },
  needed,
}: PreparedDownload): Promise<void> {
  if (freeBytes === undefined) return;
  let bytes = missingBytes;
  for (const [index, file] of needed.entries()) {
    const [begun] = files[index]?.cached === true ? [] : await resumablePartials(blobs, etagOf(file));
    bytes -= begun === undefined ? 0 : ((await fileSize(begun)) ?? 0);
  }
  const space = Math.ceil(bytes * SPACE_MARGIN);
  if (space <= freeBytes) return;
  throw new Blip2Error('WRITE_FAILED', 'The model does not fit where the cache is', {
    where: folder,
    expected: `${space} bytes free`,
    got: `${freeBytes}`,
    fix: 'Free some space, or give another folder: cacheDir, HF_HUB_CACHE',
  });
}

/** One file: the snapshot has it, or its blob is here, or it is downloaded by one of those who want it. */
async function downloadFile(
  session: HubSession,
  prepared: PreparedDownload,
  file: RepositoryFile,
  onProgress: DownloadOptions['onProgress'],
): Promise<void> {
  const { plan, repository } = prepared;
  const [etag, path] = [etagOf(file), join(plan.folder, file.path)];
  const report = (loaded: number): void =>
    onProgress?.({ stage: 'download', file: file.path, loaded, total: file.size });
  const isPlaced = async (): Promise<boolean> => (await fileSize(path)) === file.size || ((await hasBlob()) && place());
  const hasBlob = async (): Promise<boolean> => (await fileSize(join(repository.blobs, etag))) === file.size;
  const place = async (): Promise<true> => {
    if (!session.settings.symlinks || !(await linkBlob(repository, etag, path))) await copyBlob(repository, etag, path);
    return true;
  };
  if (await isPlaced()) return report(file.size);
  const lock = await acquireLock(repository.locks, etag, {
    sleep: session.io.sleep,
    signal: session.signal,
    isDone: isPlaced,
  });
  try {
    if (!(await isPlaced())) {
      const { blobs } = repository;
      await wrapWriteErrors(path, makeFolder(dirname(path)));
      // Without links the file itself goes where the link would be, as in Python's cache.
      const destination = session.settings.symlinks && (await canLink(repository, etag)) ? join(blobs, etag) : path;
      await downloadBlob(session, { id: plan.id, commit: plan.commit, file, blobs, destination, onBytes: report });
      if (destination !== path) await place();
    }
  } finally {
    await lock?.release();
  }
  report(file.size);
}
