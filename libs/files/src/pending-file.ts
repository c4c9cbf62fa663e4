import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { Blip2Error, defined, isError } from '@blip2/interfaces';

import { removeAbandonedTemporaries } from './abandoned.ts';
import { processName } from './process-identity.ts';

/** A complete, synced file under a temporary name next to its destination. */
export interface PendingFile {
  /**
   * Renames the file to its destination. An existing file is replaced atomically; processes that have it mapped keep
   * the old contents.
   * @throws Blip2Error `WRITE_FAILED`
   */
  commit(): Promise<void>;
  /** Deletes the temporary file. */
  discard(): Promise<void>;
}

const NO_SPACE = 'Free some space, or choose another folder';
const NOT_ALLOWED = 'Choose a folder that can be written to, or change its permissions';
/** What the user can do, by system error code. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', NO_SPACE],
  ['EDQUOT', NO_SPACE],
  ['EFBIG', NO_SPACE],
  ['EACCES', NOT_ALLOWED],
  ['EPERM', NOT_ALLOWED],
  ['EROFS', NOT_ALLOWED],
]);

/** The system error code of a failure (`ENOSPC`, `EACCES`, …), if it has one. */
export function systemCode(cause: unknown): string | undefined {
  return isError(cause) && 'code' in cause ? String(cause.code) : undefined;
}

/** Creates the `WRITE_FAILED` error for a file system failure. */
export function writeFailure(file: string, cause: unknown): Blip2Error {
  const got = systemCode(cause);
  return new Blip2Error('WRITE_FAILED', 'The file cannot be written', {
    where: file,
    cause,
    ...defined({ got, fix: REMEDIES.get(got ?? '') }),
  });
}

/**
 * Awaits a file system operation.
 * @throws Blip2Error `WRITE_FAILED` if it fails.
 */
export async function wrapWriteErrors<T>(file: string, operation: Promise<T>): Promise<T> {
  return operation.catch((cause: unknown) => {
    throw writeFailure(file, cause);
  });
}

/**
 * Writes all of `bytes` at the current position of the handle. `file` is named in errors.
 * @throws Blip2Error `WRITE_FAILED`
 */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, file: string): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await wrapWriteErrors(file, handle.write(bytes, done, bytes.byteLength - done));
    done += bytesWritten;
  }
}

/** Milliseconds between two updates of the modification time of a temporary file by its owner. */
const BEAT_INTERVAL = 5_000;

/**
 * Updates the modification time of a path regularly, which tells other machines that it is in use. Call the result to
 * stop.
 */
export function startBeat(path: string): () => void {
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), BEAT_INTERVAL);
  beat.unref();
  return () => clearInterval(beat);
}

/** A new name for a temporary file or folder. It starts with `start` and tells which process it belongs to. */
export function temporaryName(start: string): string {
  return `${start}.${processName}.${randomBytes(4).toString('hex')}.tmp`;
}

/**
 * Writes a file under a temporary name next to `file` and syncs it. If `write` throws, the temporary file is deleted.
 * Temporary files for the same destination of processes that have ended are deleted first.
 * @throws Blip2Error `WRITE_FAILED`; whatever `write` throws.
 */
export async function writePending(file: string, write: (handle: FileHandle) => Promise<void>): Promise<PendingFile> {
  const start = `.${basename(file)}`;
  await removeAbandonedTemporaries(dirname(file), (name) => name.startsWith(`${start}.`) && name.endsWith('.tmp'));
  const temporary = join(dirname(file), temporaryName(start));
  const handle = await wrapWriteErrors(file, open(temporary, 'wx+'));
  const stopBeat = startBeat(temporary);
  const discard = async (): Promise<void> => {
    stopBeat();
    await rm(temporary, { force: true });
  };
  try {
    try {
      await write(handle);
      await wrapWriteErrors(file, handle.sync());
    } finally {
      await handle.close();
    }
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    discard,
    async commit() {
      stopBeat();
      await wrapWriteErrors(file, rename(temporary, file));
    },
  };
}

/** Syncs a folder so that renames in it survive a power failure. Does nothing where the system cannot do that. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
