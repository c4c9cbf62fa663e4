import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { Blip2Error, mustBe } from '@blip2/interfaces';

/** Maximum size of an encoded image in bytes, checked before reading; well above any image within the pixel limit. */
export const MAX_ENCODED_BYTES: number = 512 * 1024 * 1024;

/**
 * Reads an image file.
 * @throws Blip2Error `MISSING_FILE` if it cannot be opened; `INVALID_IMAGE` if it is not a regular file;
 * `IMAGE_TOO_LARGE`.
 */
export async function readImageFile(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'The image file cannot be opened', {
      where: path,
      cause,
      fix: 'Check the path; relative paths are resolved against the working directory',
    });
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile())
      throw new Blip2Error('INVALID_IMAGE', 'The image must be a regular file', {
        where: path,
        got: stats.isDirectory() ? 'a folder' : 'a special file',
      });
    checkEncodedSize(stats.size, path);
    return await handle.readFile(signal ? { signal } : {});
  } finally {
    await handle.close();
  }
}

/**
 * Reads the bytes of a `Blob`.
 * @throws Blip2Error `IMAGE_TOO_LARGE`.
 */
export async function readImageBlob(blob: Blob): Promise<Uint8Array> {
  checkEncodedSize(blob.size, 'Blob');
  return new Uint8Array(await blob.arrayBuffer());
}

/**
 * Converts a `file:` URL to a path.
 * @throws Blip2Error `INVALID_ARGUMENT` for a URL of another host.
 */
export function fileUrlToPath(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw mustBe('image', 'a local file URL', shownUrl(url), { cause });
  }
}

/**
 * Checks the size of an encoded image.
 * @throws Blip2Error `IMAGE_TOO_LARGE` beyond {@link MAX_ENCODED_BYTES}.
 */
export function checkEncodedSize(bytes: number, where: string): void {
  if (bytes > MAX_ENCODED_BYTES)
    throw new Blip2Error('IMAGE_TOO_LARGE', 'The image file is too large', {
      where,
      expected: `at most ${MAX_ENCODED_BYTES} bytes`,
      got: String(bytes),
    });
}

/** The URL as shown in messages: without credentials, query and fragment, which may be secret. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`.slice(0, 500);
}
