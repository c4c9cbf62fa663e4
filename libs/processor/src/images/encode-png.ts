import type { RgbImage } from '@blip2/interfaces';

import { loadSharp } from './load-sharp.ts';
import { checkRgbImage } from './raw-image.ts';

/**
 * Encodes 8-bit RGB values `[height, width, 3]` as a PNG file.
 * @throws Blip2Error `INVALID_IMAGE` if the data does not match the dimensions.
 */
export async function encodePng(rgb: RgbImage): Promise<Uint8Array> {
  const {
    data,
    dims: [height, width, channels],
  } = checkRgbImage(rgb, 'encodePng');
  const sharp = await loadSharp();
  return sharp(data, { raw: { width, height, channels } }).png().toBuffer();
}
