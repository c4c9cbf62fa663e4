import type { FileHandle } from 'node:fs/promises';

import {
  MAX_HEADER_BYTES,
  MAX_POINTER_BYTES,
  openRegular,
  readFailure,
  refuseLfsPointer,
  requireVersion,
  versionOf,
} from '@blip2/files';
import { defined } from '@blip2/interfaces';

import { type Header, invalidFile, LENGTH_BYTES, parseHeader } from './header.ts';

/** Maximum size of a header that the format allows. */
const MAX_FORMAT_BYTES = 100_000_000n;

/**
 * Opens a weight file, whose path has been checked. `version`: the version in which its header was read.
 * @throws Blip2Error `MISSING_FILE`; `INVALID_CHECKPOINT` if it is not a regular file; `MODEL_CHANGED` if the file is
 * another version.
 */
export async function openForReading(file: string, version?: string): Promise<FileHandle> {
  const { handle } = await openRegular(file, { code: 'INVALID_CHECKPOINT', fix: 'Download or copy the file again' });
  try {
    if (version !== undefined) requireVersion({ file, version }, versionOf(await handle.stat({ bigint: true })));
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Fills `target` with the bytes at `position`.
 * @throws Blip2Error `INVALID_CHECKPOINT` if the file ends too early, `MISSING_FILE` if it cannot be read.
 */
export async function readExactly(
  handle: FileHandle,
  target: Uint8Array,
  position: number,
  file: string,
): Promise<void> {
  for (let done = 0; done < target.byteLength;) {
    const { bytesRead } = await handle
      .read(target, done, target.byteLength - done, position + done)
      .catch((cause: unknown) => {
        throw readFailure(cause, file);
      });
    if (bytesRead === 0)
      throw invalidFile(file, 'it is truncated', {
        expected: `${position + target.byteLength} bytes`,
        got: `${position + done}`,
      });
    done += bytesRead;
  }
}

/**
 * Reads and checks the header of a safetensors file, without its weights. `file` is a path with links resolved.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_CHECKPOINT`
 */
export async function readHeader(file: string): Promise<Header> {
  const handle = await openForReading(file);
  try {
    // Before anything is read: if the file changes later, it is another version.
    const stats = await handle.stat({ bigint: true });
    const size = Number(stats.size);
    const length = await readHeaderLength(handle, file, size);
    const bytes = new Uint8Array(length);
    await readExactly(handle, bytes, LENGTH_BYTES, file);
    return parseHeader(bytes, file, size, versionOf(stats));
  } finally {
    await handle.close();
  }
}

async function readHeaderLength(handle: FileHandle, file: string, size: number): Promise<number> {
  if (size === 0) throw invalidFile(file, 'it is empty');
  if (size < LENGTH_BYTES)
    throw invalidFile(file, 'it is truncated', { expected: `at least ${LENGTH_BYTES} bytes`, got: `${size}` });
  const bytes = new Uint8Array(LENGTH_BYTES);
  await readExactly(handle, bytes, 0, file);
  const length = new DataView(bytes.buffer).getBigUint64(0, true);
  // The first characters of an LFS pointer, read as a length, are far above the limit.
  if (length > BigInt(MAX_HEADER_BYTES)) {
    await refusePointer(handle, file, size);
    throw invalidFile(file, 'the header is too long', {
      expected: `at most ${MAX_HEADER_BYTES} bytes`,
      // Above the limit of the format, these are the first bytes of a file of another kind, which are not shown.
      ...defined({ got: length <= MAX_FORMAT_BYTES ? `${length}` : undefined }),
    });
  }
  if (length > BigInt(size - LENGTH_BYTES))
    throw invalidFile(file, 'it is truncated: the header does not fit', {
      expected: `${length} bytes of header`,
      got: `${size - LENGTH_BYTES}`,
    });
  return Number(length);
}

async function refusePointer(handle: FileHandle, file: string, size: number): Promise<void> {
  const start = new Uint8Array(Math.min(size, MAX_POINTER_BYTES));
  await readExactly(handle, start, 0, file);
  refuseLfsPointer(start, file, 'INVALID_CHECKPOINT');
}
