import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

import { isError } from '@blip2/interfaces';

import { archiveError } from './archive-error.ts';
import type { ByteSource } from './byte-source.ts';

/** Signatures of compressed files. */
const SIGNATURES = {
  gzip: [0x1f, 0x8b],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
  bzip2: [0x42, 0x5a, 0x68],
  xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0],
} satisfies Record<string, readonly number[]>;
/** Number of bytes that tell how an archive is compressed. */
export const SIGNATURE_BYTES = 6;
/** Size of a read of a compressed archive, in bytes. */
const CHUNK = 2 ** 20;

/** Whether an archive is compressed with gzip, by its first bytes. Other compressions are refused by name. */
export function isGzip(start: Uint8Array, archive: string): boolean {
  const found = Object.entries(SIGNATURES).find(([, bytes]) => bytes.every((byte, at) => start[at] === byte))?.[0];
  if (found === undefined || found === 'gzip') return found === 'gzip';
  throw archiveError(
    `The archive is compressed with ${found}`,
    { archive },
    {
      expected: 'a tar that is not compressed, or compressed with gzip',
      fix: 'Decompress it first',
    },
  );
}

/** All bytes of a source in order. */
export async function* sourceChunks(source: ByteSource, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < source.size;) {
    signal?.throwIfAborted();
    const chunk = await source.read(at, Math.min(CHUNK, source.size - at), signal);
    if (chunk.byteLength === 0) return;
    at += chunk.byteLength;
    yield chunk;
  }
}

/** The bytes of a tar that may be compressed with gzip. */
export async function* decompressed(chunks: AsyncIterable<Uint8Array>, archive: string): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    let start = Buffer.alloc(0);
    let isEnded = false;
    while (start.byteLength < SIGNATURE_BYTES && !isEnded) {
      const next = await iterator.next();
      if (next.done === true) isEnded = true;
      else start = Buffer.concat([start, next.value]);
    }
    const whole = withStart(start, iterator);
    yield* isGzip(start, archive) ? gunzip(whole, archive) : whole;
  } finally {
    await iterator.return?.();
  }
}

async function* withStart(start: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield start;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

async function* gunzip(chunks: AsyncIterable<Uint8Array>, archive: string): AsyncGenerator<Uint8Array, void> {
  const unzip = createGunzip();
  // The failure also ends the loop below; without a listener it would count as unhandled.
  pipeline(Readable.from(chunks), unzip).catch(() => undefined);
  try {
    for await (const chunk of unzip) yield chunk as Uint8Array;
  } catch (cause) {
    if (!isError(cause) || !('code' in cause) || !String(cause.code).startsWith('Z_')) throw cause;
    const what = cause.code === 'Z_BUF_ERROR' ? 'The archive is truncated' : 'The compressed archive is damaged';
    throw archiveError(what, { archive }, { got: cause.message, cause });
  }
}
