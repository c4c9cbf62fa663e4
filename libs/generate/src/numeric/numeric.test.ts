import { pseudoRandom } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { kthLargest } from './kth-largest.ts';
import { logSoftmaxInPlace, logSumExp } from './softmax.ts';
import { ascendingOrder } from './sort-order.ts';

const numbers = (seed: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.round(40 * pseudoRandom(seed, index)) / 4);

describe('kthLargest', () => {
  test.each([1, 2, 5, 31, 60, 61, 200])('k = %i equals a sort, duplicates included', (k) => {
    for (let seed = 0; seed < 20; seed++) {
      const values = numbers(seed, 60);
      const descending = [...values].sort((left, right) => right - left);
      expect(kthLargest(values, k)).toBe(descending[Math.min(k, 60) - 1]);
    }
  });
});

describe('ascendingOrder', () => {
  test('equals a stable sort with a comparator', () => {
    const values = numbers(7, 300).map(Math.abs);
    values[17] = Infinity;
    const expected = [...values.keys()].sort((left, right) => values[left]! - values[right]! || left - right);
    expect([...ascendingOrder(values)]).toEqual(expected);
  });

  test('supports views with a byte offset', () => {
    expect([...ascendingOrder(Float32Array.of(9, 9, 3, 1, 2).subarray(2))]).toEqual([1, 2, 0]);
  });
});

describe('softmax', () => {
  test('large logits do not overflow', () => {
    expect(logSumExp(Float32Array.of(1000, 1000))).toBeCloseTo(1000 + Math.log(2), 10);
  });

  test('NaN is propagated', () => {
    expect(logSumExp(Float32Array.of(1, NaN))).toBeNaN();
    expect(logSumExp(Float32Array.of(-Infinity, NaN))).toBeNaN();
    expect(logSumExp(Float32Array.of(-Infinity))).toBe(-Infinity);
  });

  test('probabilities sum to one and suppressed tokens stay suppressed', () => {
    const logits = Float32Array.of(2, -Infinity, 0.5);
    logSoftmaxInPlace(logits);
    expect([...logits].reduce((sum, logit) => sum + Math.exp(logit), 0)).toBeCloseTo(1, 6);
    expect(logits[1]).toBe(-Infinity);
  });
});
