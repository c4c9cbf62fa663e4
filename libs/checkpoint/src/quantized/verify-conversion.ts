import { realpath } from 'node:fs/promises';

import { fileChecksum, forgetVerified } from '@blip2/files';

import { openForReading, readExactly, readHeader } from '../safetensors/read-header.ts';
import { recordedFile } from './cache-folder.ts';
import type { CachedConversion } from './cached-conversions.ts';
import { headerChecksum, readOrigin } from './converted-origin.ts';

/**
 * Reads a converted file completely and compares it with its checksums. `unknown`: the file was created before
 * checksums
 * were introduced, and its header is valid. Such a file is created again when it is next needed, like a damaged one.
 * @throws Blip2Error `MISSING_FILE` if the file was deleted meanwhile; the signal's reason.
 */
export async function verifyCachedConversion(
  { file }: CachedConversion,
  signal?: AbortSignal,
): Promise<'ok' | 'damaged' | 'unknown'> {
  const verdict = await verifyContents(await realpath(file).catch(() => file), signal);
  // The file may have been verified since the machine was started, and damaged without a trace.
  if (verdict !== 'ok') await forgetVerified(recordedFile(file));
  return verdict;
}

/**
 * Compares the header and the tensors of a converted file with their checksums.
 * @throws Blip2Error `MISSING_FILE`; the signal's reason.
 */
export async function verifyContents(file: string, signal?: AbortSignal): Promise<'ok' | 'damaged' | 'unknown'> {
  const header = await readHeader(file).catch(() => undefined);
  const origin = header && readOrigin(header.metadata);
  if (!header || !origin) return 'damaged';
  if (origin.crc32 === undefined) return 'unknown';
  const handle = await openForReading(file);
  try {
    const { size } = await handle.stat();
    const head = new Uint8Array(header.tensors[0]?.byteOffset ?? size);
    await readExactly(handle, head, 0, file);
    if (origin.headerCrc32 !== undefined && headerChecksum(head) !== origin.headerCrc32) return 'damaged';
    return (await fileChecksum(handle, { begin: head.byteLength, signal })) === origin.crc32 ? 'ok' : 'damaged';
  } finally {
    await handle.close();
  }
}
