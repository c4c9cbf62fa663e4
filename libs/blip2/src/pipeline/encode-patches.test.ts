import type { PatchFeatures, PixelValues, VisionEncoder } from '@blip2/interfaces';
import { expect, test } from 'vitest';

import { encodePatches } from './encode-patches.ts';

/** An encoder whose features are the first value of each image, and that notes the images of each call. */
function counting(counts: number[], onCall: () => void = () => undefined): Pick<VisionEncoder, 'encode'> {
  return {
    async encode({ dims, data }): Promise<PatchFeatures> {
      counts.push(dims[0]);
      onCall();
      const each = data.length / dims[0];
      return {
        type: 'float32',
        dims: [dims[0], 1, 1],
        data: Float32Array.from({ length: dims[0] }, (_, row) => data[row * each] ?? NaN),
      };
    },
  };
}

function images(count: number, size: number): PixelValues {
  const each = 3 * size * size;
  const data = Float32Array.from({ length: count * each }, (_, index) => Math.floor(index / each));
  return { type: 'float32', dims: [count, 3, size, size], data };
}

test.each([
  [224, 5, [2, 2, 1]],
  [364, 3, [1, 1, 1]],
  [112, 9, [8, 1]],
  [16, 100, [100]],
])('images of %i pixels are encoded a few at a time, in order', async (size, count, expected) => {
  const counts: number[] = [];
  const { dims, data } = await encodePatches(counting(counts), images(count, size));
  expect(counts).toEqual(expected);
  expect(dims).toEqual([count, 1, 1]);
  expect([...data]).toEqual(Array.from({ length: count }, (_, row) => row));
});

test('an abort takes effect between two images', async () => {
  const counts: number[] = [];
  const controller = new AbortController();
  const vision = counting(counts, () => {
    if (counts.length === 2) controller.abort(new Error('enough'));
  });
  await expect(encodePatches(vision, images(9, 364), { signal: controller.signal })).rejects.toThrow('enough');
  expect(counts).toEqual([1, 1]);
});

test('a tensor that is no batch of images is left to the encoder', async () => {
  const counts: number[] = [];
  await encodePatches(counting(counts), { ...images(9, 364), dims: [8, 3, 364, 364] });
  expect(counts).toEqual([8]);
});
