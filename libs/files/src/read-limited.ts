import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

import { Blip2Error, defined, type ErrorCode } from '@blip2/interfaces';

import { systemCode } from './pending-file.ts';

/** How `openRegular` and `readLimited` report a file that they refuse. */
export interface RefusedFile {
  /** Code for a file of the wrong kind or size. */
  readonly code: ErrorCode;
  /** Path to name in errors, default that of the file. */
  readonly where?: string;
  /** Default `Check that it is the right file`. */
  readonly fix?: string;
}

const WRONG_FILE = 'Check that it is the right file';
/** Size of the first read of a file that reports no size, in bytes. */
const FIRST_READ = 65_536;
/**
 * Opening a pipe does not wait for a writer, a link that replaced the checked file is not followed, and no terminal
 * becomes the controlling one. Windows has none of these flags.
 */
const SAFE_FLAGS =
  constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0) | (constants.O_NOCTTY ?? 0);

/** An open regular file. */
export interface OpenedFile {
  readonly handle: FileHandle;
  /** State of the opened file itself, not of what its path leads to now. */
  readonly stats: Stats;
}

/** Creates the error for a file that exists but cannot be opened or read. */
export function readFailure(cause: unknown, where: string): Blip2Error {
  return new Blip2Error('MISSING_FILE', 'The file cannot be read', {
    where,
    cause,
    fix: 'Check that it exists, its permissions and its disk',
    ...defined({ got: systemCode(cause) }),
  });
}

/**
 * Opens a regular file for reading. `file` is a path whose links are resolved, in bytes if it is not UTF-8.
 * @throws Blip2Error `MISSING_FILE` if it cannot be opened; `code` if it is a folder, pipe, socket or device.
 */
export async function openRegular(
  file: string | Buffer,
  { code, where = String(file), fix }: RefusedFile,
): Promise<OpenedFile> {
  const handle = await open(file, SAFE_FLAGS).catch((cause: unknown) => {
    throw readFailure(cause, where);
  });
  try {
    const stats = await handle.stat();
    if (stats.isFile()) return { handle, stats };
    throw new Blip2Error(code, 'The file is not a regular file', { where, fix: fix ?? WRONG_FILE });
  } catch (error) {
    await handle.close();
    throw error instanceof Blip2Error ? error : readFailure(error, where);
  }
}

/**
 * Reads a regular file of at most `maxBytes` bytes. The limit holds while reading, also for files that grow or report
 * no size, such as those in `/proc`. `file` is as for `openRegular`.
 * @throws Blip2Error as `openRegular`; `MISSING_FILE` if reading fails; `code` for a larger file.
 */
export async function readLimited(file: string | Buffer, maxBytes: number, refused: RefusedFile): Promise<Uint8Array> {
  const { code, where = String(file), fix = WRONG_FILE } = refused;
  const { handle, stats } = await openRegular(file, refused);
  const tooLarge = (got: string): Blip2Error =>
    new Blip2Error(code, 'The file is too large', { where, expected: `at most ${maxBytes} bytes`, got, fix });
  try {
    if (stats.size > maxBytes) throw tooLarge(`${stats.size}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (let next = stats.size === 0 ? FIRST_READ : stats.size + 1; ; next = Math.max(FIRST_READ, size)) {
      const chunk = new Uint8Array(Math.min(next, maxBytes + 1 - size));
      const { bytesRead } = await handle.read(chunk, 0, chunk.byteLength, null).catch((cause: unknown) => {
        throw readFailure(cause, where);
      });
      if (bytesRead === 0) return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, bytesRead));
      size += bytesRead;
      if (size > maxBytes) throw tooLarge(`${size} or more`);
    }
  } finally {
    await handle.close();
  }
}
