import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { CHUNK_BYTES, isRunning, processName, wrapWriteErrors } from '@blip2/files';

import { type ContentHash, contentHash } from '../repository/content-hash.ts';
import { etagOf, type RepositoryFile } from '../repository/repository-files.ts';

/**
 * The beginning of a file that is on its way: `blobs/ETAG.OWNER-RANDOM.incomplete`, which Python's cache tools know as
 * an unfinished download. The owner
 * is the process that writes it, or `free` if it stopped in good order.
 */
export interface PartialFile {
  readonly path: string;
  readonly handle: FileHandle;
  /** Over the bytes that are there. */
  readonly hash: ContentHash;
  /** Bytes that are there. */
  size: number;
}

/**
 * A file that its owner, who cannot be asked, has not touched for this long has been given up, in ms. No pause between
 * two tries is longer.
 */
const ABANDONED_AFTER = 3_600_000;
const PARTIAL_PATTERN = /^(?<etag>[0-9a-f]{40}|[0-9a-f]{64})\.(?<owner>free|[0-9a-f]{8}-\d+)-[0-9a-f]{8}\.incomplete$/;

function partialName(etag: string, owner: string): string {
  return `${etag}.${owner}-${randomBytes(4).toString('hex')}.incomplete`;
}

/** A new name in `blobs` for something that belongs to this process until it is renamed. */
export function temporaryPath(blobs: string, etag: string): string {
  return join(blobs, partialName(etag, processName));
}

export async function createPartial(blobs: string, file: RepositoryFile): Promise<PartialFile> {
  const path = temporaryPath(blobs, etagOf(file));
  return { path, handle: await wrapWriteErrors(path, open(path, 'wx+')), hash: contentHash(file), size: 0 };
}

/**
 * Goes on with the longest beginning that nobody works on, or starts a new one. What is there is hashed again, not
 * trusted.
 */
export async function openPartial(
  blobs: string,
  file: RepositoryFile,
  signal: AbortSignal | undefined,
): Promise<PartialFile> {
  for (const orphan of await resumablePartials(blobs, etagOf(file))) {
    const adopted = await takeOver(blobs, orphan, file, signal);
    if (adopted) return adopted;
  }
  return createPartial(blobs, file);
}

/** Renaming settles who gets it: of several processes, one succeeds. */
async function takeOver(
  blobs: string,
  orphan: string,
  file: RepositoryFile,
  signal: AbortSignal | undefined,
): Promise<PartialFile | undefined> {
  const path = temporaryPath(blobs, etagOf(file));
  try {
    await rename(orphan, path);
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
    // With the position left out, the handle ends where writing goes on.
    const { bytesRead } = await partial.handle.read(buffer, 0, Math.min(buffer.length, size - partial.size), null);
    if (bytesRead === 0) return;
    partial.hash.update(buffer.subarray(0, bytesRead));
    partial.size += bytesRead;
  }
}

/** Stops in good order: whoever wants the file next goes on with it. */
export async function releasePartial({ path, handle, size }: PartialFile): Promise<void> {
  await handle.close().catch(() => {});
  const [, etag = ''] = /([0-9a-f]+)\.[^\\/]*$/.exec(path) ?? [];
  if (size === 0) return rm(path, { force: true });
  await rename(path, join(path, '..', partialName(etag, 'free'))).catch(() => {});
}

export async function discardPartial({ path, handle }: PartialFile): Promise<void> {
  await handle.close().catch(() => {});
  await rm(path, { force: true });
}

/** Beginnings of `etag` in `blobs` that nobody works on, the longest first. */
export async function resumablePartials(blobs: string, etag: string): Promise<string[]> {
  const found = await abandoned(blobs, (name) => PARTIAL_PATTERN.exec(name)?.groups?.['etag'] === etag);
  return found
    .filter(({ isFile }) => isFile)
    .toSorted((a, b) => b.size - a.size)
    .map(({ path }) => path);
}

/** Takes away what killed processes left of files that are here now. */
export async function removeLeftovers(blobs: string, etags: ReadonlySet<string>): Promise<void> {
  const left = await abandoned(blobs, (name) => etags.has(PARTIAL_PATTERN.exec(name)?.groups?.['etag'] ?? ''));
  for (const { path } of left) await rm(path, { force: true });
}

/** All beginnings that nobody works on, those of other programs among them if they are old. */
export async function abandonedPartials(blobs: string): Promise<string[]> {
  return (await abandoned(blobs, (name) => name.endsWith('.incomplete'))).map(({ path }) => path);
}

interface Abandoned {
  readonly path: string;
  readonly size: number;
  /** Not a link that was about to be put in place. */
  readonly isFile: boolean;
}

async function abandoned(blobs: string, isMeant: (name: string) => boolean): Promise<Abandoned[]> {
  const found: Abandoned[] = [];
  for (const name of (await readdir(blobs).catch(() => [])).filter(isMeant)) {
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
