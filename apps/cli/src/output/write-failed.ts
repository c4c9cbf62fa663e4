import type { FileHandle } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

import { nameOfPath } from '../images/path-names.ts';

/**
 * Converts an error of the file system to `WRITE_FAILED`. Typed errors, aborts and the `EPIPE` of a pipe whose reader
 * has ended stay as they are.
 */
export function writeFailed(file: string, cause: unknown): Error {
  if (cause instanceof Blip2Error) return cause;
  if (cause instanceof Error && (cause.name === 'AbortError' || ('code' in cause && cause.code === 'EPIPE')))
    return cause;
  const got = cause instanceof Error ? cause.message : String(cause);
  return new Blip2Error('WRITE_FAILED', 'The output cannot be written', { where: nameOfPath(file), got, cause });
}

/** Throws if an open file was deleted: what is written to it would be lost without an error. */
export async function expectLinked(handle: Pick<FileHandle, 'stat'>): Promise<void> {
  if ((await handle.stat()).nlink === 0) throw Object.assign(new Error('the file was deleted'), { code: 'ENOENT' });
}
