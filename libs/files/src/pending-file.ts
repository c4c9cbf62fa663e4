import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

/** A file that is complete and on disk, under a temporary name beside its place. */
export interface PendingFile {
  /** Gives it its name; a file of that name is replaced in one step, and whoever has the old one mapped keeps it. */
  commit(): Promise<void>;
  discard(): Promise<void>;
}

const NO_SPACE = 'Free some space, or give another folder';
const NOT_ALLOWED = 'Give a folder that can be written to, or change its permissions';
/** What can be done, by the code of the system. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', NO_SPACE],
  ['EDQUOT', NO_SPACE],
  ['EFBIG', NO_SPACE],
  ['EACCES', NOT_ALLOWED],
  ['EPERM', NOT_ALLOWED],
  ['EROFS', NOT_ALLOWED],
]);

/** The system's code of a failure (`ENOSPC`, `EACCES`, …), if it has one. */
export function systemCode(cause: unknown): { readonly got?: string } {
  return cause instanceof Error && 'code' in cause ? { got: String(cause.code) } : {};
}

/** What the file system threw, as `WRITE_FAILED`. */
export function writeFailure(file: string, cause: unknown): Blip2Error {
  const { got = '' } = systemCode(cause);
  const fix = REMEDIES.get(got);
  return new Blip2Error('WRITE_FAILED', 'A file cannot be written', {
    where: file,
    cause,
    ...(got !== '' && { got }),
    ...(fix !== undefined && { fix }),
  });
}

/** A failed operation of the file system as `WRITE_FAILED`. */
export async function wrapWriteErrors<T>(file: string, operation: Promise<T>): Promise<T> {
  return operation.catch((cause: unknown) => {
    throw writeFailure(file, cause);
  });
}

/** Writes all of `bytes` at the handle's position. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, file: string): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await wrapWriteErrors(file, handle.write(bytes, done, bytes.byteLength - done));
    done += bytesWritten;
  }
}

/** Writes a file under a temporary name and syncs it. If `write` fails or is aborted, nothing is left. */
export async function writePending(file: string, write: (handle: FileHandle) => Promise<void>): Promise<PendingFile> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomUUID()}.tmp`);
  const discard = (): Promise<void> => rm(temporary, { force: true });
  const handle = await wrapWriteErrors(file, open(temporary, 'wx+'));
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
  return { discard, commit: () => wrapWriteErrors(file, rename(temporary, file)) };
}

/** Makes renames in `folder` last through a loss of power, where the system can. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
