import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';

import { Blip2Error } from '@blip2/interfaces';

import { shownUrl } from '../images/image-source.ts';
import type { ImageResponse } from './image-response.ts';

/** Maximum number of content encodings: each can multiply the size. */
const MAX_ENCODINGS = 2;
/** Lowest four bits of the first byte of zlib data. Some servers send `deflate` without this header. */
const ZLIB_METHOD = 8;

/** Limits and progress of a response body. */
export interface BodyRules {
  /** Maximum size in bytes, both as sent and after decompression. */
  readonly maxBytes: number;
  /** Called whenever bytes arrive. */
  readonly onProgress: () => void;
}

/**
 * Reads a response body and decompresses it: servers may compress although `identity` was requested.
 * @throws Blip2Error `IMAGE_TOO_LARGE` beyond the maximum size; `MISSING_FILE` for unknown content encodings and data
 * that cannot be decompressed.
 */
export async function readBody(response: ImageResponse, url: URL, rules: BodyRules): Promise<Uint8Array> {
  const encodings = contentEncodings(response);
  const unknown = encodings.find((encoding) => !['gzip', 'x-gzip', 'br', 'deflate'].includes(encoding));
  if (unknown !== undefined || encodings.length > MAX_ENCODINGS) throw badEncoding(url, encodings.join(', '));
  let bytes = await readBytes(response, url, rules);
  if (response.isDecoded) return bytes;
  // The last encoding was applied last.
  for (const encoding of encodings.reverse()) {
    bytes = await decompressed(encoding, bytes, rules.maxBytes).catch((cause: unknown) => {
      const isTooLarge = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
      throw isTooLarge ? tooLarge(url, 'more, decompressed', rules.maxBytes) : badEncoding(url, encoding, cause);
    });
  }
  return bytes;
}

async function readBytes(response: ImageResponse, url: URL, { maxBytes, onProgress }: BodyRules): Promise<Buffer> {
  const declared = Number(response.header('content-length') ?? 0);
  if (declared > maxBytes) throw tooLarge(url, String(declared), maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    onProgress();
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(url, String(size), maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function contentEncodings(response: ImageResponse): string[] {
  const names = (response.header('content-encoding') ?? '').toLowerCase().split(',');
  return names.map((name) => name.trim()).filter((name) => name !== '' && name !== 'identity');
}

/** Decompression stops at the limit, whatever the data claims. */
async function decompressed(encoding: string, bytes: Buffer, maxOutputLength: number): Promise<Buffer> {
  if (bytes.length === 0) return bytes;
  if (encoding === 'br') return promisify(brotliDecompress)(bytes, { maxOutputLength });
  if (encoding !== 'deflate') return promisify(gunzip)(bytes, { maxOutputLength });
  const isZlib = ((bytes[0] ?? 0) & 0x0f) === ZLIB_METHOD;
  return promisify(isZlib ? inflate : inflateRaw)(bytes, { maxOutputLength });
}

function badEncoding(url: URL, got: string, cause?: unknown): Blip2Error {
  return new Blip2Error('MISSING_FILE', 'The content encoding of the image cannot be decoded', {
    where: shownUrl(url),
    expected: 'gzip, br or deflate',
    got: cause instanceof Error ? `${got}: ${cause.message}` : got.slice(0, 80),
    ...(cause !== undefined && { cause }),
  });
}

function tooLarge(url: URL, got: string, maxBytes: number): Blip2Error {
  const details = { where: shownUrl(url), expected: `at most ${maxBytes} bytes`, got };
  return new Blip2Error('IMAGE_TOO_LARGE', 'The fetched image is too large', details);
}
