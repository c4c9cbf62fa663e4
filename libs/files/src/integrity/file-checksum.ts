import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/** Bytes per read. The checksum of that many takes less than a millisecond, so other work is not held up. */
const CHUNK_BYTES = 2 ** 20;

/** Options of `fileChecksum`. */
export interface ChecksumOptions {
  /** First byte. Default 0. */
  readonly begin?: number;
  /** End, exclusive. Default: the end of the file. */
  readonly end?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * CRC-32 (ISO 3309) of the bytes of an open file from `begin` to `end`, as 8 hexadecimal digits: detects accidental
 * damage, and is faster than disks. The next chunk is read meanwhile.
 * @throws the signal's reason; errors of the file system.
 */
export async function fileChecksum(
  handle: FileHandle,
  { begin = 0, end = Infinity, signal }: ChecksumOptions = {},
): Promise<string> {
  const buffers = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)] as const;
  let value = 0;
  let at = begin;
  const readNext = async (buffer: Uint8Array): Promise<Uint8Array> => {
    const { bytesRead } = await handle.read(buffer, 0, Math.max(0, Math.min(CHUNK_BYTES, end - at)), at);
    at += bytesRead;
    return buffer.subarray(0, bytesRead);
  };
  let chunk = await readNext(buffers[0]);
  for (let turn = 1; chunk.byteLength > 0; turn++) {
    signal?.throwIfAborted();
    const next = readNext(buffers[turn % 2 === 0 ? 0 : 1]);
    value = crc32(chunk, value);
    chunk = await next;
  }
  return checksumText(value);
}

/** CRC-32 of bytes in memory, in the form of `fileChecksum`. */
export function checksumOf(bytes: Uint8Array): string {
  return checksumText(crc32(bytes));
}

function checksumText(value: number): string {
  return value.toString(16).padStart(8, '0');
}
