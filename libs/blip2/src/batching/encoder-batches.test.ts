import { Blip2Error, type PixelValues } from '@blip2/interfaces';
import { expect, test } from 'vitest';

import { createEncoderBatches, type EncodeImages, type ImageFeatures } from './encoder-batches.ts';

const pixels = (value: number, size = 2): PixelValues => ({
  type: 'float32',
  dims: [1, 3, size, size],
  data: new Float32Array(3 * size * size).fill(value),
});
/** Encodes an image as its first value; -1 cannot be encoded. */
function recorded(): { encode: EncodeImages<ImageFeatures>; batches: number[][] } {
  const batches: number[][] = [];
  return {
    batches,
    async encode({ dims: [count, , height, width], data }) {
      const values = Array.from({ length: count }, (_, row) => data[row * 3 * height * width] ?? 0);
      batches.push(values);
      await new Promise((resolve) => void setImmediate(resolve));
      if (values.includes(-1)) throw new Blip2Error('NOT_FINITE', 'NaN');
      if (values.includes(-2)) throw new Blip2Error('WORKER_FAILED', 'ended');
      return { type: 'float32', dims: [count, 1, 1], data: Float32Array.from(values) };
    },
  };
}
const valueOf = (features: Promise<ImageFeatures>): Promise<unknown> =>
  features.then(
    ({ data }) => [...data],
    (error: Error) => ('code' in error ? error.code : error.message),
  );

test('encodes what waits together, at most maxImages of one size', async () => {
  const { encode, batches } = recorded();
  const encoder = createEncoderBatches(encode, 4);
  const images = [1, 2, 3, 4, 5, 6, 7].map((value) => encoder.encode(pixels(value), {}));
  images.push(encoder.encode(pixels(8, 3), {}), encoder.encode(pixels(9), { interpolatePosEncoding: true }));
  expect(encoder.status.waiting).toBe(8);
  expect(await Promise.all(images.map(valueOf))).toEqual([[1], [2], [3], [4], [5], [6], [7], [8], [9]]);
  expect(batches).toEqual([[1], [2, 3, 4, 5], [6, 7], [8], [9]]);
  expect(encoder.status).toMatchObject({ waiting: 0, batches: 5, images: 9 });
});

test('fails only the image that cannot be encoded', async () => {
  const { encode, batches } = recorded();
  const encoder = createEncoderBatches(encode, 4);
  const images = [1, 2, -1, 3].map((value) => encoder.encode(pixels(value), {}));
  expect(await Promise.all(images.map(valueOf))).toEqual([[1], [2], 'NOT_FINITE', [3]]);
  expect(batches).toEqual([[1], [2, -1, 3], [2], [-1], [3]]);
});

test('does not try again what a worker took with it', async () => {
  const { encode, batches } = recorded();
  const encoder = createEncoderBatches(encode, 4);
  const images = [1, 2, -2, 3].map((value) => encoder.encode(pixels(value), {}));
  expect(await Promise.all(images.map(valueOf))).toEqual([[1], 'WORKER_FAILED', 'WORKER_FAILED', 'WORKER_FAILED']);
  expect(batches).toEqual([[1], [2, -2, 3]]);
});

test('leaves out images whose call was aborted', async () => {
  const { encode, batches } = recorded();
  const encoder = createEncoderBatches(encode, 4);
  const controller = new AbortController();
  const images = [1, 2, 3].map((value) =>
    encoder.encode(pixels(value), value === 2 ? { signal: controller.signal } : {}),
  );
  controller.abort(new RangeError('gone'));
  expect(await Promise.all(images.map(valueOf))).toEqual([[1], 'gone', [3]]);
  expect(batches).toEqual([[1], [3]]);
});
