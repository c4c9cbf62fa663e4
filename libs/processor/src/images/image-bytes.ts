import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { Blip2Error } from '@blip2/interfaces';

/**
 * Encoded files beyond this many bytes are refused unread: far above any image within the pixel limit that people have.
 */
export const MAX_ENCODED_BYTES: number = 512 * 1024 * 1024;

/** The bytes of an image's file. `MISSING_FILE` if it is not there, `INVALID_IMAGE` if it is no regular file. */
export async function readImageFile(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  // Otherwise opening a named pipe waits until somebody writes to it.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'Cannot open the image', {
      where: path,
      cause,
      fix: 'Check the path; relative ones start at the working directory',
    });
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile())
      throw new Blip2Error('INVALID_IMAGE', stats.isDirectory() ? 'A folder is not an image' : 'Not a regular file', {
        where: path,
      });
    checkEncodedSize(stats.size, path);
    return await handle.readFile(signal ? { signal } : {});
  } finally {
    await handle.close();
  }
}

/** The bytes of a `Blob`. */
export async function readImageBlob(blob: Blob): Promise<Uint8Array> {
  checkEncodedSize(blob.size, 'Blob');
  return new Uint8Array(await blob.arrayBuffer());
}

/** The path of a `file:` URL; `INVALID_ARGUMENT` for one of another machine. */
export function fileUrlToPath(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new Blip2Error('INVALID_ARGUMENT', 'Not a local file URL', { where: shownUrl(url), cause });
  }
}

/** `IMAGE_TOO_LARGE` if an encoded image has more than {@link MAX_ENCODED_BYTES}. */
export function checkEncodedSize(bytes: number, where: string): void {
  if (bytes > MAX_ENCODED_BYTES)
    throw new Blip2Error('IMAGE_TOO_LARGE', 'The image file is too large', {
      where,
      expected: `at most ${MAX_ENCODED_BYTES} bytes`,
      got: String(bytes),
    });
}

/** A URL for messages: without credentials, query and fragment, which may be secrets. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`.slice(0, 500);
}
