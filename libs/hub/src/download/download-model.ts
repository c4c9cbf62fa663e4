import { dirname, join } from 'node:path';

import { acquireLock, makeFolder, syncFolder, wrapWriteErrors } from '@blip2/files';
import { Blip2Error, type LoadProgress } from '@blip2/interfaces';

import { cachedSnapshot } from '../cache/cached-snapshot.ts';
import { partialsOf, removeLeftovers } from '../cache/find-partials.ts';
import { canLink, copyBlob, fileSize, linkBlob, tagCacheFolder, writeRef } from '../cache/snapshot-files.ts';
import { writeTreeCache } from '../cache/tree-cache.ts';
import { type HubIo, hubIo } from '../client/hub-io.ts';
import type { HubSession } from '../client/hub-request.ts';
import { hubSettings } from '../client/hub-settings.ts';
import type { DownloadScope } from '../repository/needed-files.ts';
import { etagOf, type RepositoryFile } from '../repository/repository-files.ts';
import { checkRepositoryId, checkRevision, DEFAULT_REVISION } from '../repository/repository-id.ts';
import { downloadBlob } from './download-blob.ts';
import { inParallel } from './in-parallel.ts';
import {
  type DownloadPlan,
  type PlanOptions,
  type PreparedDownload,
  prepareDownload,
  prepareFromCache,
} from './plan-download.ts';

/** Options of `downloadModel` and `downloadProcessor`. */
export interface DownloadOptions extends PlanOptions {
  /** Called as bytes arrive, with the file and its bytes so far. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /**
   * Called once with sizes and licence before the first file is downloaded (a shard index is fetched before, since it
   * names the files); not called if all files are cached. Throw to cancel the download.
   */
  readonly onPlan?: (plan: DownloadPlan) => void;
}

/** Maximum number of files that are downloaded at the same time. */
const MAX_PARALLEL = 4;
/** Required free space relative to the download: 5 % more, because other programs write too. */
const SPACE_MARGIN = 1.05;

/**
 * Downloads the missing files of a model into the cache shared with Python's `huggingface_hub`, and returns its
 * snapshot folder. A file appears under its name only when it is complete and has the checksum given by the Hub. If the
 * Hub is unreachable, a complete model in the cache is used.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`, `OFFLINE`, `WRITE_FAILED`,
 * `MISSING_FILE`, `INVALID_CHECKPOINT` or `UNSAFE_PATH` for its shard index, `INVALID_ARGUMENT`; the signal's reason.
 */
export function downloadModel(id: string, options: DownloadOptions = {}, io: HubIo = hubIo): Promise<string> {
  return download(id, 'model', options, io);
}

/**
 * Downloads only the files of the processor and tokenizers, without model configuration and weights.
 * @throws Blip2Error as `downloadModel`; `MISSING_FILE` if the repository has no such file.
 */
export function downloadProcessor(id: string, options: DownloadOptions = {}, io: HubIo = hubIo): Promise<string> {
  return download(id, 'processor', options, io);
}

async function download(id: string, scope: DownloadScope, options: DownloadOptions, io: HubIo): Promise<string> {
  const { revision = DEFAULT_REVISION, signal } = options;
  signal?.throwIfAborted();
  checkRepositoryId(id);
  checkRevision(revision);
  const settings = await hubSettings(options);
  const fromCache = (): Promise<string> => cachedSnapshot(settings.cacheFolder, id, revision, scope);
  if (settings.offline) return fromCache();
  const session = { settings, io, signal };
  const cached = await prepareFromCache(session, id, revision, scope);
  if (cached && (await isComplete(cached))) return cached.plan.folder;
  const prepared = await prepareDownload(session, id, revision, scope).catch(async (error: unknown) => {
    // Fall back to the cache. If it is incomplete too, report the Hub's failure.
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
    // The cache may be read-only.
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
 * Stores the commit of the branch or tag. Downloading only the processor must not move the ref away from a complete
 * snapshot, or that model could no longer be found offline.
 */
async function moveRef(
  { settings }: HubSession,
  { plan: { id, revision, commit }, repository, scope }: PreparedDownload,
): Promise<void> {
  const isCompleteModel = (): Promise<boolean> =>
    cachedSnapshot(settings.cacheFolder, id, revision, 'model').then(
      () => true,
      () => false,
    );
  if (scope === 'model' || !(await isCompleteModel())) await writeRef(repository, revision, commit);
}

/** @throws Blip2Error `WRITE_FAILED` if the missing bytes do not fit on the disk. */
async function expectSpace({
  plan: { files, missingBytes, freeBytes, folder },
  repository: { blobs },
  needed,
}: PreparedDownload): Promise<void> {
  if (freeBytes === undefined) return;
  let bytes = missingBytes;
  for (const [index, file] of needed.entries()) {
    const partials = files[index]?.cached === true ? [] : await partialsOf(blobs, etagOf(file));
    bytes -= partials.find(({ state }) => state !== 'living')?.size ?? 0;
  }
  const space = Math.ceil(bytes * SPACE_MARGIN);
  if (space <= freeBytes) return;
  throw new Blip2Error('WRITE_FAILED', 'The model does not fit on the disk of the cache', {
    where: folder,
    expected: `${space} bytes free`,
    got: `${freeBytes}`,
    fix: 'Free some space, or choose another folder: cacheDir, HF_HUB_CACHE',
  });
}

/** Puts one file into the snapshot: from its blob if that is cached, else by a download, which one process does. */
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
  while (!(await isPlaced())) {
    const lock = await acquireLock(repository.locks, etag, {
      sleep: session.io.sleep,
      signal: session.signal,
      isDone: isPlaced,
    });
    try {
      if (await isPlaced()) break;
      const { blobs } = repository;
      await wrapWriteErrors(path, makeFolder(dirname(path)));
      // Without links, the file itself is stored in the snapshot, as in Python's cache.
      const destination = session.settings.symlinks && (await canLink(repository, etag)) ? join(blobs, etag) : path;
      const content = prepared.fetchedIndex?.path === file.path ? prepared.fetchedIndex.bytes : undefined;
      await downloadBlob(session, { ...plan, file, blobs, destination, content, onBytes: report });
    } finally {
      await lock?.release();
    }
  }
  report(file.size);
}
