import { realpath } from 'node:fs/promises';

import { openForReading, readHeader } from '../safetensors/read-header.ts';
import type { CachedConversion } from './cached-conversions.ts';
import { readOrigin } from './converted-origin.ts';
import { fileChecksum } from './file-checksum.ts';

/**
 * Reads a converted file completely and compares it with its checksum. `unknown`: the file was created before checksums
 * were introduced, and its header is valid.
 * @throws Blip2Error `MISSING_FILE` if the file was deleted meanwhile; the signal's reason.
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
