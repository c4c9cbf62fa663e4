import { Blip2Error, type RgbImage } from '@blip2/interfaces';

import { loadSharp } from './load-sharp.ts';
import { checkRgbImage } from './raw-image.ts';

export interface EncodeJpegOptions {
  /** Pixels; the image is stretched to them. Default: its own. */
  readonly width?: number;
  readonly height?: number;
  /** 1 to 100. Default 80. */
  readonly quality?: number;
}

const DEFAULT_QUALITY = 80;
/** What the format can hold. */
const MAX_SIDE = 65_535;

/**
 * Encodes levels `[height, width, 3]` as a JPEG file, for people to look at: scaled by libvips, not as for a model.
 * `INVALID_IMAGE` if the data does not fit the dimensions, `INVALID_ARGUMENT` for sides or a quality that the format
 * does not have.
 */
export async function encodeJpeg(rgb: RgbImage, options: EncodeJpegOptions = {}): Promise<Uint8Array> {
  const {
    data,
    dims: [rows, columns, channels],
  } = checkRgbImage(rgb, 'encodeJpeg');
  const { width = columns, height = rows, quality = DEFAULT_QUALITY } = options;
  expectWithin({ width, height }, MAX_SIDE);
  expectWithin({ quality }, 100);
  const sharp = await loadSharp();
  const { buffer, byteOffset, length } = await sharp(data, { raw: { width: columns, height: rows, channels } })
    .resize(width, height, { fit: 'fill' })
    .jpeg({ quality })
    .toBuffer();
  return new Uint8Array(buffer, byteOffset, length);
}

function expectWithin(values: Readonly<Record<string, number>>, most: number): void {
  for (const [name, value] of Object.entries(values)) {
    if (Number.isInteger(value) && value >= 1 && value <= most) continue;
    throw new Blip2Error('INVALID_ARGUMENT', 'Out of range', {
      where: name,
      expected: `a whole number from 1 to ${most}`,
      got: String(value),
    });
  }
}
