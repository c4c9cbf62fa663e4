import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';

import { Blip2Error, defined, mustBe } from '@blip2/interfaces';

import { decodeDataUrl, isDataUrl } from '../fetch/data-url.ts';
import { checkSignature } from '../formats/image-format.ts';
import { describeSource, type EncodedSource, isBytes, isUrlObject, shownUrl, toUrl } from './image-source.ts';

/** Maximum size of an encoded image in bytes; well above any image within the pixel limit. */
export const MAX_ENCODED_BYTES: number = 512 * 1024 * 1024;
/** Bytes of the first read, after which other files than images are rejected. */
const FIRST_READ_BYTES: number = 64 * 1024;
/** Bytes of a read, between which an abort takes effect. */
const MAX_READ_BYTES: number = 8 * 1024 * 1024;

/** Where the bytes of an image may come from. */
export interface ReadOptions {
  readonly allowUrls: boolean;
  readonly allowPrivateUrls: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Encoded bytes. Those that were read here may be given away; those of the caller may not. */
export interface ReadBytes {
  readonly bytes: Uint8Array;
  readonly isOwned: boolean;
}

/** A file to be read. */
export interface FileRules {
  /** Size in bytes that the file system reports. */
  readonly size: number;
  /** The file in messages. */
  readonly where: string;
  readonly signal: AbortSignal | undefined;
  readonly maxBytes: number;
}

/** Whether a source is fetched from a server. */
export function isRemote(source: EncodedSource): boolean {
  if (typeof source !== 'string' && !isUrlObject(source)) return false;
  return /^https?:/i.test(typeof source === 'string' ? source : source.href);
}

/**
 * Reads the encoded bytes of a source.
 * @throws Blip2Error the codes of `decodeImage`.
 */
export async function readEncoded(source: EncodedSource, options: ReadOptions): Promise<ReadBytes> {
  if (isBytes(source)) {
    checkEncodedSize(source.byteLength, 'image bytes');
    return { bytes: types.isUint8Array(source) ? ownRealm(source) : new Uint8Array(source), isOwned: false };
  }
  return { bytes: await readSource(source, options), isOwned: true };
}

/** The same bytes as an array of this realm: jest and `node:vm` have classes of their own. */
function ownRealm(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = bytes;
  return bytes instanceof Uint8Array ? bytes : new Uint8Array(buffer, byteOffset, byteLength);
}

async function readSource(
  source: Exclude<EncodedSource, Uint8Array | ArrayBuffer>,
  { allowUrls, allowPrivateUrls, signal }: ReadOptions,
): Promise<Uint8Array> {
  if (typeof source !== 'string' && !isUrlObject(source)) return readBlob(source);
  const text = typeof source === 'string' ? source : source.href;
  if (isDataUrl(text)) return decodeDataUrl(text);
  const url = toUrl(source);
  if (!url || url.protocol === 'file:') {
    const path = url ? fileUrlToPath(url) : text;
    return readImageFile(path, describeSource(typeof path === 'string' ? path : source), signal);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Blip2Error('INVALID_ARGUMENT', 'The protocol of the image URL is not supported', {
      expected: 'file:, data:, http: or https:',
      got: url.protocol,
    });
  }
  if (!allowUrls)
    throw new Blip2Error('INVALID_ARGUMENT', 'Image URLs are only fetched with allowUrls', {
      argument: 'allowUrls',
      where: shownUrl(url),
      fix: 'Pass allowUrls: true, or fetch the image and pass its bytes',
    });
  const { fetchImage } = await import('../fetch/fetch-image.ts');
  return fetchImage(url, defined({ signal, isForbidden: allowPrivateUrls ? () => false : undefined }));
}

async function readImageFile(
  path: string | Buffer,
  where: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'The image file cannot be opened', {
      where,
      cause,
      fix: 'Check the path; relative paths are resolved against the working directory',
    });
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile())
      throw new Blip2Error('INVALID_IMAGE', 'The image must be a regular file', {
        where,
        got: stats.isDirectory() ? 'a folder' : 'a special file',
      });
    checkEncodedSize(stats.size, where);
    return await readToEnd(handle, { size: stats.size, where, signal, maxBytes: MAX_ENCODED_BYTES });
  } finally {
    await handle.close();
  }
}

/**
 * Reads a file up to its end, not up to its size: files of `/proc` and of some network file systems have size 0.
 * @throws Blip2Error `IMAGE_TOO_LARGE` beyond `maxBytes`; `MISSING_FILE` if reading fails; for a file without the
 * signature of an image, after its first bytes, the codes of `checkSignature`.
 */
export async function readToEnd(
  handle: Pick<FileHandle, 'read'>,
  { size, where, signal, maxBytes }: FileRules,
): Promise<Uint8Array> {
  // One byte more, so that the end of a file of this size is found without another allocation.
  let buffer = new Uint8Array(Math.min(Math.max(size, FIRST_READ_BYTES), maxBytes) + 1);
  for (let length = 0; ;) {
    signal?.throwIfAborted();
    const wanted = Math.min(buffer.length - length, length === 0 ? FIRST_READ_BYTES : MAX_READ_BYTES);
    const { bytesRead } = await handle.read(buffer, length, wanted, length).catch((cause: unknown) => {
      throw unreadable(where, cause);
    });
    if (bytesRead === 0) return buffer.subarray(0, length);
    if (length === 0) checkSignature(buffer.subarray(0, bytesRead), where);
    length += bytesRead;
    checkEncodedSize(length, where, maxBytes);
    if (length === buffer.length) buffer = enlarged(buffer, maxBytes);
  }
}

function enlarged(buffer: Uint8Array, maxBytes: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(buffer.length * 2, maxBytes + 1));
  larger.set(buffer);
  return larger;
}

function unreadable(where: string, cause: unknown): Blip2Error {
  const got = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new Blip2Error('MISSING_FILE', 'The image file cannot be read', { where, got, cause });
}

async function readBlob(blob: Blob): Promise<Uint8Array> {
  checkEncodedSize(blob.size, 'Blob');
  return new Uint8Array(await blob.arrayBuffer());
}

/** The path of a `file:` URL: its bytes, if they are not UTF-8. */
function fileUrlToPath(url: URL): string | Buffer {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    const bytes = cause instanceof URIError ? pathBytes(url) : undefined;
    if (bytes) return bytes;
    throw mustBe('image', 'a local file URL', shownUrl(url), { cause });
  }
}

/** The bytes of a `file:` URL's path; undefined on Windows, whose names are UTF-16, and for stray percent signs. */
function pathBytes({ pathname }: URL): Buffer | undefined {
  if (process.platform === 'win32' || /%(?![0-9a-f]{2})/i.test(pathname)) return undefined;
  const decoded = pathname.replace(/%([0-9a-f]{2})/gi, (_escape, byte: string) =>
    String.fromCharCode(Number.parseInt(byte, 16)),
  );
  return Buffer.from(decoded, 'latin1');
}

function checkEncodedSize(bytes: number, where: string, maxBytes: number = MAX_ENCODED_BYTES): void {
  if (bytes > maxBytes)
    throw new Blip2Error('IMAGE_TOO_LARGE', 'The image file is too large', {
      where,
      expected: `at most ${maxBytes} bytes`,
      got: String(bytes),
    });
}
