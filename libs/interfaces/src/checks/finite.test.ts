import { describe, expect, test } from 'vitest';

import { expectFinite } from './finite.ts';

const tensor = (...values: number[]) =>
  ({ type: 'float32', dims: [values.length], data: Float32Array.from(values) }) as const;

describe('expectFinite', () => {
  test('returns the tensor itself, also the largest, smallest and negative numbers', () => {
    for (const values of [[], [0, -0, 1, -2], [3.4028234663852886e38, -3.4028234663852886e38, 1e-45]]) {
      const given = tensor(...values);
      expect(expectFinite('part', given)).toBe(given);
    }
  });

  test.each([
    ['NaN', [NaN, 1]],
    ['Infinity', [1, Infinity]],
    ['-Infinity', [1, -Infinity, NaN]],
  ])('throws with the part and the first such value: %s', (value, values) => {
    expect(() => expectFinite('Q-Former', tensor(...values))).toThrow(
      expect.objectContaining({
        code: 'NOT_FINITE',
        message: expect.stringContaining(`The Q-Former returned a value that is not finite (${value})`) as string,
        details: expect.objectContaining({ subject: 'Q-Former' }) as unknown,
      }) as Error,
    );
  });
});
