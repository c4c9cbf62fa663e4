import { realpath } from 'node:fs/promises';

import { openForReading, readHeader } from '../safetensors/read-header.ts';
import type { CachedConversion } from './cached-conversions.ts';
import { readOrigin } from './converted-origin.ts';
import { fileChecksum } from './file-checksum.ts';

/**
 * Reads a converted file to its end and compares it with the checksum that it was made with. `unknown`: it was made
 * before there were checksums, and its header at least is sound.
 * Fails with an `AbortError`, or `MISSING_FILE` if it was removed meanwhile.
 */
export async function verifyCachedConversion(
  { file }: CachedConversion,
  signal?: AbortSignal,
): Promise<'ok' | 'damaged' | 'unknown'> {
  const header = await readHeader(await realpath(file).catch(() => file)).catch(() => undefined);
  const origin = header && readOrigin(header.metadata);
  if (!header || !origin) return 'damaged';
  if (origin.crc32 === undefined) return 'unknown';
  const handle = await openForReading(file);
  try {
    const { size: bytes } = await handle.stat();
    return (await fileChecksum(handle, header.tensors[0]?.byteOffset ?? bytes, bytes, file, signal)) === origin.crc32
      ? 'ok'
      : 'damaged';
  } finally {
    await handle.close();
  }
}
