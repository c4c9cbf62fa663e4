import { expect, test } from 'vitest';

import { loadOnnxRuntime } from '../onnx-runtime.ts';
import { byteProducts, floatProducts, PRODUCT_SIZE, RESULT_SIZE } from './product-graphs.ts';

test.each([
  ['floats', floatProducts, 5],
  ['bytes, within their precision', byteProducts, 1],
])('products of %s give the mean of each row', async (_, write, digits) => {
  const { InferenceSession, Tensor } = await loadOnnxRuntime();
  const session = await InferenceSession.create(write());
  const data = Float32Array.from({ length: 2 * PRODUCT_SIZE }, (__, at) => (at < PRODUCT_SIZE ? 1 : 2));
  const { y } = await session.run({ x: new Tensor('float32', data, [2, PRODUCT_SIZE]) });
  expect(y?.dims).toEqual([2, RESULT_SIZE]);
  const means = y?.data as Float32Array;
  expect(means[0]).toBeCloseTo(1, digits);
  expect(means[RESULT_SIZE - 1]).toBeCloseTo(1, digits);
  expect(means[RESULT_SIZE]).toBeCloseTo(2, digits);
  await session.release();
});
