import { describe, expect, test } from 'vitest';

import type { Tensor } from '../tensor.ts';
import { expectTensor } from './expect-tensor.ts';

const check = (value: unknown): unknown => expectTensor('pixelValues', value as Tensor<'float32'>, ['batch', 'size']);
const tensor = (data: unknown, dims: unknown = [2, 2], type = 'float32'): unknown => ({ type, dims, data });
const values = Float32Array.of(1, 2, 3, 4);

test('returns a float32 tensor, also of onnxruntime and of another realm', () => {
  const value = tensor(values);
  expect(check(value)).toBe(value);
  const foreign = { ...(tensor(values) as object), location: 'cpu' };
  expect(check(foreign)).toBe(foreign);
  expect(check(tensor(new Float32Array(0), [0, 2]))).toBeDefined();
});

describe('refuses', () => {
  test.each<[string, unknown, string, string]>([
    ['nothing', undefined, 'INVALID_ARGUMENT', 'pixelValues must be a float32 tensor [batch, size]'],
    ['null', null, 'INVALID_ARGUMENT', 'got null'],
    ['a path', 'photo.jpg', 'INVALID_ARGUMENT', 'got "photo.jpg"'],
    ['an array', values, 'INVALID_ARGUMENT', 'got an object'],
    ['a tensor without axes', tensor(values, 4), 'INVALID_ARGUMENT', 'pixelValues.dims must be'],
    ['negative axes', tensor(values, [-2, -2]), 'INVALID_ARGUMENT', 'pixelValues.dims must be'],
    ['8-bit values', tensor(new Uint8Array(4), [2, 2], 'uint8'), 'INVALID_ARGUMENT', 'got "uint8"'],
    ['a list of numbers', tensor([1, 2, 3, 4]), 'INVALID_ARGUMENT', 'pixelValues.data must be a Float32Array'],
    ['double precision', tensor(Float64Array.from(values)), 'INVALID_ARGUMENT', 'must be a Float32Array'],
    ['another number of axes', tensor(values, [4]), 'SHAPE_MISMATCH', 'expected [batch, size], got [4]'],
    ['too few values', tensor(values.subarray(1)), 'SHAPE_MISMATCH', 'expected 4 values for [2, 2], got 3'],
    ['too many values', tensor(values, [1, 2]), 'SHAPE_MISMATCH', 'expected 2 values for [1, 2], got 4'],
    ['NaN', tensor(Float32Array.of(1, 2, NaN, 4)), 'NOT_FINITE', 'pixelValues has a value that is not finite (NaN at'],
    ['infinity', tensor(Float32Array.of(1, -Infinity, 2, 4)), 'NOT_FINITE', '(-Infinity at index 1)'],
  ])('%s', (_, value, code, words) => {
    expect(() => check(value)).toThrow(
      expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringContaining(words) as string }),
    );
  });
});
