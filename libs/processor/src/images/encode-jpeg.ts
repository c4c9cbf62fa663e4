import { mustBe, type RgbImage } from '@blip2/interfaces';

import { loadSharp } from './load-sharp.ts';
import { checkRgbImage } from './raw-image.ts';

/** Options of `encodeJpeg`. */
export interface EncodeJpegOptions {
  /** Width in pixels, 1 to 65535; the image is stretched to it. Default: its own. */
  readonly width?: number;
  /** Height in pixels, likewise. */
  readonly height?: number;
  /** JPEG quality, 1 to 100. Default 80. */
  readonly quality?: number;
}

const DEFAULT_QUALITY = 80;
const MAX_QUALITY = 100;
/** Maximum width and height of a JPEG file, in pixels. */
const MAX_SIDE = 65_535;

/**
 * Encodes 8-bit RGB values `[height, width, 3]` as a JPEG file for display: libvips scales it, not `resize`.
 * @throws Blip2Error `INVALID_IMAGE` if the data does not match the dimensions; `INVALID_ARGUMENT` for sizes or a
 * quality out of range.
 */
export async function encodeJpeg(rgb: RgbImage, options: EncodeJpegOptions = {}): Promise<Uint8Array> {
  const {
    data,
    dims: [rows, columns, channels],
  } = checkRgbImage(rgb, 'encodeJpeg');
  const { width = columns, height = rows, quality = DEFAULT_QUALITY } = options;
  expectInRange({ width, height }, MAX_SIDE);
  expectInRange({ quality }, MAX_QUALITY);
  const sharp = await loadSharp();
  const { buffer, byteOffset, length } = await sharp(data, { raw: { width: columns, height: rows, channels } })
    .resize(width, height, { fit: 'fill' })
    .jpeg({ quality })
    .toBuffer();
  return new Uint8Array(buffer, byteOffset, length);
}

function expectInRange(values: Readonly<Record<string, number>>, largest: number): void {
  for (const [name, value] of Object.entries(values)) {
    if (Number.isInteger(value) && value >= 1 && value <= largest) continue;
    throw mustBe(name, `an integer from 1 to ${largest}`, value);
  }
}
