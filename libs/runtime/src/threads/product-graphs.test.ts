import { expect, test } from 'vitest';

import { loadOnnxRuntime } from '../onnxruntime/onnx-runtime.ts';
import {
  blockProducts,
  byteProducts,
  DECODE_SIZE,
  floatProducts,
  PRODUCT_SIZE,
  READ_SHAPE,
  readProduct,
  RESULT_SIZE,
} from './product-graphs.ts';

test.each([
  ['floats', floatProducts, PRODUCT_SIZE, 5],
  ['bytes, within their precision', byteProducts, PRODUCT_SIZE, 1],
  ['bytes of another size', () => byteProducts(DECODE_SIZE), DECODE_SIZE, 1],
  ['4-bit blocks', blockProducts, DECODE_SIZE, 1],
])('products of %s give the mean of each row', async (_, write, size, digits) => {
  const { InferenceSession, Tensor } = await loadOnnxRuntime();
  const session = await InferenceSession.create(write());
  const data = Float32Array.from({ length: 2 * size }, (__, at) => (at < size ? 1 : 2));
  const { y } = await session.run({ x: new Tensor('float32', data, [2, size]) });
  expect(y?.dims).toEqual([2, RESULT_SIZE]);
  const means = y?.data as Float32Array;
  expect(means[0]).toBeCloseTo(1, digits);
  expect(means[RESULT_SIZE - 1]).toBeCloseTo(1, digits);
  expect(means[RESULT_SIZE]).toBeCloseTo(2, digits);
  await session.release();
});

test('the product that reads memory multiplies its input', async () => {
  const { InferenceSession, Tensor } = await loadOnnxRuntime();
  const session = await InferenceSession.create(readProduct());
  const [inner, columns] = READ_SHAPE;
  const { y } = await session.run({
    x: new Tensor('float32', new Float32Array(inner).fill(1), [1, inner]),
    w: new Tensor('float32', new Float32Array(inner * columns).fill(2 / inner), [inner, columns]),
  });
  expect([y?.dims, (y?.data as Float32Array).every((value) => Math.abs(value - 2) < 1e-4)]).toEqual([
    [1, columns],
    true,
  ]);
  await session.release();
});
