import { crc32 } from 'node:zlib';

import { Blip2Error } from '@blip2/interfaces';

/** Offsets in bytes of the first chunk, whose 13 bytes of data are the header: type, width, height and checksum. */
const TYPE = 12;
const WIDTH = 16;
const HEIGHT = 20;
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

/** Width and height in pixels that a PNG declares; undefined for a file without a whole header. */
export function pngSize(bytes: Uint8Array): readonly [width: number, height: number] | undefined {
  if (bytes.length < CHECKSUM) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [view.getUint32(WIDTH), view.getUint32(HEIGHT)];
}
