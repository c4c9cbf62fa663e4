import { crc32 } from 'node:zlib';

import { Blip2Error } from '@blip2/interfaces';

/** Offsets in bytes of the type and the checksum of the first chunk, whose 13 bytes of data are the header. */
const TYPE = 12;
const CHECKSUM = 29;

/**
 * Checks the checksum of a PNG header, which libvips ignores: a damaged size or colour type gives wrong pixels. Pillow
 * rejects such a file too. A file without a whole header is left to the decoder.
 * @throws Blip2Error `INVALID_IMAGE`.
 */
export function checkPngHeader(bytes: Uint8Array, where: string): void {
  if (bytes.length < CHECKSUM + 4) return;
  const checksum = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(CHECKSUM);
  if (crc32(bytes.subarray(TYPE, CHECKSUM)) === checksum) return;
  throw new Blip2Error('INVALID_IMAGE', 'The PNG image cannot be decoded', {
    where,
    got: 'a header with a wrong checksum',
  });
}
