import sharp from 'sharp';
import { describe, expect, test } from 'vitest';

import { readPillowFiles } from '../images/fixtures/pillow-file.ts';
import { estimatePixels } from './estimate-pixels.ts';

const image = sharp({ create: { width: 53, height: 41, channels: 4, background: '#12345678' } });

describe('the number of pixels in the header', () => {
  test.each([
    ['jpeg', image.clone().jpeg()],
    ['progressive jpeg with EXIF', image.clone().withMetadata({ orientation: 6 }).jpeg({ progressive: true })],
    ['png', image.clone().png()],
    ['gif', image.clone().gif()],
    ['tiff', image.clone().tiff()],
    ['bigtiff', image.clone().tiff({ bigtiff: true, compression: 'deflate' })],
    ['webp with alpha', image.clone().webp()],
    ['opaque webp', image.clone().removeAlpha().webp()],
    ['lossless webp', image.clone().webp({ lossless: true })],
  ])('%s', async (_what, file) => {
    expect(estimatePixels(await file.toBuffer())).toBe(53 * 41);
  });

  test.each(['pillow-gif.json', 'pillow-tiff.json'])('is never less than that of the image: %s', (name) => {
    for (const { bytes, expected } of readPillowFiles(name))
      expect(estimatePixels(bytes)).toBeGreaterThanOrEqual(expected.data.length / 3);
  });

  test('is infinite if it is not found', async () => {
    expect(estimatePixels(await image.clone().avif({ effort: 0 }).toBuffer())).toBe(Number.POSITIVE_INFINITY);
    const jpeg = await image.clone().jpeg().toBuffer();
    expect(estimatePixels(jpeg.fill(0, 2, 40))).toBe(Number.POSITIVE_INFINITY);
  });
});
