import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { decodeImage } from '@blip2/processor';
import fc, { type Arbitrary } from 'fast-check';

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

/** Images of 9 × 7 pixels in base64, one per format. The path is the same from `src` and `dist`. */
const SEEDS: string = join(import.meta.dirname, '../../../seeds/images.json');

async function seeds(): Promise<readonly Uint8Array[]> {
  const images = JSON.parse(await readFile(SEEDS, 'utf8')) as Readonly<Record<string, string>>;
  return Object.values(images).map((text) => Buffer.from(text, 'base64'));
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
