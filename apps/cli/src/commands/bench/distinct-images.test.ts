import { decodeImage, encodePng } from '@blip2/processor';
import { expect, test } from 'vitest';

import { distinctImages } from './distinct-images.ts';

test('images of one size, all different, of which the first is the file', async () => {
  const [height, width] = [16, 24];
  const data = Uint8Array.from({ length: height * width * 3 }, (_, at) => (Math.floor(at / 3) % width) * 10);
  const file = await encodePng({ type: 'uint8', dims: [height, width, 3], data });
  const images = await distinctImages(file, 8);
  expect(images[0]).toBe(file);
  const decoded = await Promise.all(images.map((image) => decodeImage(image)));
  expect(decoded.map(({ dims }) => dims)).toEqual(Array.from({ length: 8 }, () => [height, width, 3]));
  expect(new Set(decoded.map((image) => image.data.join())).size).toBe(8);
  // Half of the width further: the value of the first pixel is that of the middle.
  expect(Math.abs((decoded[4]?.data[0] ?? 0) - 120)).toBeLessThan(30);
});
