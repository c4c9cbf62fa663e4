import { decodeImage } from '@blip2/processor';
import fc, { type Arbitrary } from 'fast-check';
import sharp from 'sharp';

import { BrokenPromise } from '../broken-promise.ts';
import { damagedBytes } from '../damage.ts';
import { defineTarget, type Target } from '../target.ts';

/** Beginnings of other formats, and of text that other decoders would take. */
const BEGINNINGS: readonly string[] = [
  '<svg xmlns="http://www.w3.org/2000/svg"/>',
  '<!--ftypavif--><svg/>',
  '%PDF-1.4',
  'GIF89a',
  '\u0000\u0000\u0000\u0020ftypavif',
  'II*\u0000',
  'RIFF',
  '8BPS',
  'BM',
  'P6 1 1 255 ',
];

async function seeds(): Promise<readonly Uint8Array[]> {
  const pixels = Uint8Array.from({ length: 9 * 7 * 4 }, (_, at) => (at * 37) % 256);
  const image = sharp(pixels, { raw: { width: 9, height: 7, channels: 4 } });
  return Promise.all([
    image.clone().png().toBuffer(),
    image.clone().png({ palette: true }).toBuffer(),
    image.clone().removeAlpha().jpeg().toBuffer(),
    image.clone().removeAlpha().jpeg({ progressive: true }).toBuffer(),
    image.clone().webp().toBuffer(),
    image.clone().webp({ lossless: true }).toBuffer(),
    image.clone().gif().toBuffer(),
    image.clone().tiff().toBuffer(),
    image.clone().tiff({ compression: 'lzw' }).toBuffer(),
    image.clone().avif().toBuffer(),
  ]);
}

/** Image files: the pixels of what is accepted have the size that is stated. */
export const imageTarget: Target<unknown> = defineTarget<Uint8Array>({
  name: 'image',
  promise: 'An image file is refused with a code, or decoded to height × width × 3 pixel values.',
  open: async () => {
    const sound = await seeds();
    const cases: Arbitrary<Uint8Array> = fc.oneof(
      { weight: 8, arbitrary: damagedBytes(sound) },
      { weight: 1, arbitrary: damagedBytes(BEGINNINGS.map((text) => Buffer.from(text, 'latin1'))) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    );
    return {
      cases,
      run: async (bytes) => {
        const { data, dims } = await decodeImage(bytes);
        const [height, width, channels] = dims;
        if (channels !== 3 || data.length !== height * width * 3)
          throw new BrokenPromise(`dims ${dims.join()}, ${data.length}`);
      },
    };
  },
});
