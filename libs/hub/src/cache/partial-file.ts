import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { CHUNK_BYTES, isRunning, processName, wrapWriteErrors } from '@blip2/files';

import { type ContentHash, contentHash } from '../repository/content-hash.ts';
import { etagOf, type RepositoryFile } from '../repository/repository-files.ts';

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
}

/**
 * Milliseconds after which an unchanged file counts as abandoned if its owner cannot be checked. Longer than any pause
 * between two attempts.
 */
const ABANDONED_AFTER = 3_600_000;
const PARTIAL_PATTERN = /^(?<etag>[0-9a-f]{40}|[0-9a-f]{64})\.(?<owner>free|[0-9a-f]{8}-\d+)-[0-9a-f]{8}\.incomplete$/;

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
  return { path, handle: await wrapWriteErrors(path, open(path, 'wx+')), hash: contentHash(file), size: 0 };
}

/**
 * Takes over the longest partial file that no process works on, or creates a new one. Its bytes are hashed again, not
 * trusted.
 * @throws Blip2Error `WRITE_FAILED`; the signal's reason.
 */
export async function openPartial(
  blobs: string,
  file: RepositoryFile,
  signal: AbortSignal | undefined,
): Promise<PartialFile> {
  for (const candidate of await resumablePartials(blobs, etagOf(file))) {
    const partial = await takeOver(blobs, candidate, file, signal);
    if (partial) return partial;
  }
  return createPartial(blobs, file);
}

/** The rename is atomic, so of several processes exactly one takes the file over. */
async function takeOver(
  blobs: string,
  candidate: string,
  file: RepositoryFile,
  signal: AbortSignal | undefined,
): Promise<PartialFile | undefined> {
  const path = temporaryPath(blobs, etagOf(file));
  try {
    await rename(candidate, path);
  } catch {
    return undefined;
  }
  const handle = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0)).catch(() => undefined);
  if (!handle) return undefined;
  const partial: PartialFile = { path, handle, hash: contentHash(file), size: 0 };
  try {
    const { size } = await handle.stat();
    if (size > file.size) {
      await discardPartial(partial);
      return undefined;
    }
    await hashExisting(partial, size, signal);
    return partial;
  } catch (error) {
    await releasePartial(partial);
    throw error;
  }
}

async function hashExisting(partial: PartialFile, size: number, signal: AbortSignal | undefined): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  while (partial.size < size) {
    signal?.throwIfAborted();
    // Reading without an explicit position leaves the handle where writing continues.
    const { bytesRead } = await partial.handle.read(buffer, 0, Math.min(buffer.length, size - partial.size), null);
    if (bytesRead === 0) return;
    partial.hash.update(buffer.subarray(0, bytesRead));
    partial.size += bytesRead;
  }
}

/** Stops cleanly: the next process that needs the file resumes it. */
export async function releasePartial({ path, handle, size }: PartialFile): Promise<void> {
  await handle.close().catch(() => {});
  const [, etag = ''] = /([0-9a-f]+)\.[^\\/]*$/.exec(path) ?? [];
  if (size === 0) return rm(path, { force: true });
  await rename(path, join(path, '..', partialName(etag, 'free'))).catch(() => {});
}

/** Closes and deletes a partial file. */
export async function discardPartial({ path, handle }: PartialFile): Promise<void> {
  await handle.close().catch(() => {});
  await rm(path, { force: true });
}

/** Partial files of `etag` in `blobs` that no process works on, the longest first. */
export async function resumablePartials(blobs: string, etag: string): Promise<string[]> {
  const found = await abandoned(blobs, (name) => PARTIAL_PATTERN.exec(name)?.groups?.['etag'] === etag);
  return found
    .filter(({ isFile }) => isFile)
    .toSorted((a, b) => b.size - a.size)
    .map(({ path }) => path);
}

/** Deletes the partial files that killed processes left of files that are now complete. */
export async function removeLeftovers(blobs: string, etags: ReadonlySet<string>): Promise<void> {
  const left = await abandoned(blobs, (name) => etags.has(PARTIAL_PATTERN.exec(name)?.groups?.['etag'] ?? ''));
  for (const { path } of left) await rm(path, { force: true });
}

/** All partial files that no process works on, including old ones of other programs. */
export async function abandonedPartials(blobs: string): Promise<string[]> {
  return (await abandoned(blobs, (name) => name.endsWith('.incomplete'))).map(({ path }) => path);
}

interface Abandoned {
  readonly path: string;
  readonly size: number;
  /** False for a link that was about to be moved into a snapshot. */
  readonly isFile: boolean;
}

async function abandoned(blobs: string, isCandidate: (name: string) => boolean): Promise<Abandoned[]> {
  const found: Abandoned[] = [];
  for (const name of (await readdir(blobs).catch(() => [])).filter(isCandidate)) {
    const path = join(blobs, name);
    const facts = await lstat(path).catch(() => undefined);
    if (facts && isAbandoned(PARTIAL_PATTERN.exec(name)?.groups?.['owner'] ?? '', facts.mtimeMs))
      found.push({ path, size: facts.size, isFile: facts.isFile() });
  }
  return found;
}

function isAbandoned(owner: string, changed: number): boolean {
  return owner === 'free' || isRunning(owner) === false || Date.now() - changed > ABANDONED_AFTER;
}
