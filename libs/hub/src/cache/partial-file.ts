import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { CHUNK_BYTES, processName, wrapWriteErrors, writeAll } from '@blip2/files';

import { type ContentHash, contentHash } from '../repository/content-hash.ts';
import { etagOf, type RepositoryFile } from '../repository/repository-files.ts';
import { type FoundPartial, openPaths, partialsOf, type Sleep, unchangedFiles } from './find-partials.ts';

/**
 * The first part of a file being downloaded: `blobs/ETAG.OWNER-RANDOM.incomplete`, which Python's cache tools recognize
 * as an unfinished download. The owner is the process that writes it, or `free` if the download stopped cleanly.
 */
export interface PartialFile {
  readonly path: string;
  readonly handle: FileHandle;
  /** Checksum of the bytes written so far. */
  readonly hash: ContentHash;
  /** Number of bytes written so far. */
  size: number;
  /** Shows other processes that the file is in use. */
  readonly beat: NodeJS.Timeout;
}

/** Milliseconds between two updates of the modification time of an open partial file, which show that it is in use. */
const BEAT_INTERVAL = 5000;
/** Maximum size in bytes that is downloaded again rather than watched. */
const NOT_WORTH_WATCHING = 2 ** 20;

function partialName(etag: string, owner: string): string {
  return `${etag}.${owner}-${randomBytes(4).toString('hex')}.incomplete`;
}

/** A new path in `blobs` for a file that belongs to this process until it is renamed. */
export function temporaryPath(blobs: string, etag: string): string {
  return join(blobs, partialName(etag, processName));
}

/**
 * Creates an empty partial file.
 * @throws Blip2Error `WRITE_FAILED`
 */
export async function createPartial(blobs: string, file: RepositoryFile): Promise<PartialFile> {
  const path = temporaryPath(blobs, etagOf(file));
  return opened(path, await wrapWriteErrors(path, open(path, 'wx+')), file);
}

function opened(path: string, handle: FileHandle, file: RepositoryFile): PartialFile {
  // The time is not read by anyone: another machine only sees that it changes.
  const beat = setInterval(() => void handle.utimes(new Date(), new Date()).catch(() => {}), BEAT_INTERVAL);
  beat.unref();
  openPaths.add(path);
  return { path, handle, hash: contentHash(file), size: 0, beat };
}

/** Closes a partial file, which keeps its name. */
export async function closePartial({ path, handle, beat }: PartialFile): Promise<void> {
  clearInterval(beat);
  openPaths.delete(path);
  await handle.close().catch(() => {});
}

/**
 * Takes over the longest partial file that no process works on, or creates a new one. Its bytes are hashed again, not
 * trusted. A file of an owner on another machine or in another container is watched first.
 * @throws Blip2Error `WRITE_FAILED`; the signal's reason.
 */
export async function openPartial(
  blobs: string,
  file: RepositoryFile,
  signal: AbortSignal | undefined,
  sleep: Sleep,
): Promise<PartialFile> {
  const found = await partialsOf(blobs, etagOf(file));
  const free = found.filter(({ state }) => state === 'free');
  const unknown = found.filter(({ state, size }) => state === 'unknown' && size > NOT_WORTH_WATCHING);
  const candidates = [...free, ...(await unchangedFiles(unknown, sleep, signal))].toSorted((a, b) => b.size - a.size);
  for (const [index, candidate] of candidates.entries()) {
    const partial = await takeOver(blobs, candidate, file, signal);
    if (!partial) continue;
    for (const { path } of candidates.slice(index + 1)) await rm(path, { force: true });
    return partial;
  }
  return createPartial(blobs, file);
}

/**
 * The rename is atomic, so of several processes exactly one takes the file over. The bytes of an owner that may have
 * been suspended, not killed, are copied: if it continues, it writes to the old file.
 */
async function takeOver(
  blobs: string,
  { path: candidate, state, size }: FoundPartial,
  file: RepositoryFile,
  signal: AbortSignal | undefined,
): Promise<PartialFile | undefined> {
  const path = temporaryPath(blobs, etagOf(file));
  try {
    await rename(candidate, path);
  } catch {
    return undefined;
  }
  if (size > file.size) {
    await rm(path, { force: true });
    return undefined;
  }
  const handle = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0)).catch(() => undefined);
  if (!handle) return undefined;
  const partial = opened(path, handle, file);
  try {
    const { size: bytes } = await handle.stat();
    if (state === 'free') {
      await hashExisting(partial, bytes, signal);
      return partial;
    }
    const copy = await createPartial(blobs, file);
    try {
      await hashExisting(copy, bytes, signal, partial.handle);
    } catch (error) {
      await discardPartial(copy);
      throw error;
    }
    await discardPartial(partial);
    return copy;
  } catch (error) {
    await releasePartial({ ...partial, size });
    throw error;
  }
}

/** Hashes the bytes of the partial file, or copies them from another file into it. */
async function hashExisting(
  partial: PartialFile,
  size: number,
  signal: AbortSignal | undefined,
  source: FileHandle = partial.handle,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  while (partial.size < size) {
    signal?.throwIfAborted();
    // Reading without an explicit position leaves the handle where writing continues.
    const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, size - partial.size), null);
    if (bytesRead === 0) return;
    const bytes = buffer.subarray(0, bytesRead);
    if (source !== partial.handle) await writeAll(partial.handle, bytes, partial.path);
    partial.hash.update(bytes);
    partial.size += bytesRead;
  }
}

/** Stops cleanly: the next process that needs the file resumes it. */
export async function releasePartial(partial: PartialFile): Promise<void> {
  const { path, size } = partial;
  await closePartial(partial);
  const [, etag = ''] = /([0-9a-f]+)\.[^\\/]*$/.exec(path) ?? [];
  if (size === 0) return rm(path, { force: true });
  await rename(path, join(path, '..', partialName(etag, 'free'))).catch(() => {});
}

/** Closes and deletes a partial file. */
export async function discardPartial(partial: PartialFile): Promise<void> {
  await closePartial(partial);
  await rm(partial.path, { force: true });
}
