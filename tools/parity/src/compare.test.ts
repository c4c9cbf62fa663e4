import type { Tensor } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import {
  compareExactly,
  compareTensorLists,
  compareTensors,
  joinComparisons,
  NOTHING_COMPARED,
  zeroUncompared,
} from './compare.ts';

const float = (dims: number[], ...data: number[]): Tensor => ({ type: 'float32', dims, data: Float32Array.from(data) });
const levels = (dims: number[], ...data: number[]): Tensor => ({ type: 'uint8', dims, data: Uint8Array.from(data) });
const tolerance = { atol: 1e-4, rtol: 1e-4 };

describe('compareTensors', () => {
  test('passes within atol + rtol·|expected| and counts every element', () => {
    const found = compareTensors(float([2, 2], 1, 2, 3, 1000.1), float([2, 2], 1, 2, 3, 1000), tolerance, 'x');
    expect(found.failure).toBeUndefined();
    expect(found.elements).toBe(4);
    expect(found.largest).toBeCloseTo(0.1, 4);
    expect(found.largestRatio).toBeGreaterThan(0.9);
  });

  test('reports the position of the first element outside the tolerance', () => {
    expect(compareTensors(float([2, 2], 1, 2, 3.001, 5), float([2, 2], 1, 2, 3, 4), tolerance, 'x').failure).toMatch(
      /^x\[1, 0\]: expected 3, got 3\.00/,
    );
  });

  test('applies rtol to the expected value, not the actual one', () => {
    expect(compareTensors(float([1], 1), float([1], 0), { atol: 0, rtol: 1 }, 'x').failure).toBeDefined();
    expect(compareTensors(float([1], 0), float([1], 1), { atol: 0, rtol: 1 }, 'x').failure).toBeUndefined();
  });

  test.each([
    ['NaN instead of a number', NaN, 1],
    ['NaN where NaN is expected', NaN, NaN],
    ['a number where NaN is expected', 1, NaN],
    ['-inf instead of a number', -Infinity, 1],
    ['a number instead of -inf', -1e30, -Infinity],
    ['inf of the other sign', Infinity, -Infinity],
  ])('never passes %s', (_, actual, expected) => {
    expect(
      compareTensors(float([1], actual), float([1], expected), { atol: 1e30, rtol: 1 }, 'x').failure,
    ).toBeDefined();
  });

  test('passes infinities in the same places', () => {
    expect(compareTensors(float([2], -Infinity, Infinity), float([2], -Infinity, Infinity), tolerance, 'x')).toEqual({
      elements: 2,
      largest: 0,
      largestRatio: 0,
    });
  });

  test('requires equal shapes, element types and lengths', () => {
    expect(compareTensors(float([4], 1, 2, 3, 4), float([2, 2], 1, 2, 3, 4), tolerance, 'x').failure).toMatch(
      'expected shape [2, 2], got [4]',
    );
    expect(compareTensors(float([1], 1), levels([1], 1), tolerance, 'x').failure).toMatch(
      'expected uint8, got float32',
    );
    expect(compareTensors(float([2], 1), float([2], 1, 2), tolerance, 'x').failure).toMatch(
      'expected 2 elements, got 1',
    );
  });

  test('reports NaN as the largest difference', () => {
    expect(compareTensors(float([3], 9, NaN, 9), float([3], 1, 1, 1), tolerance, 'x').largest).toBeNaN();
  });
});

describe('compareTensorLists', () => {
  test('requires lists of the same length', () => {
    expect(compareTensorLists([float([1], 1)], [float([1], 1), float([1], 1)], tolerance, 'x').failure).toMatch(
      'expected 2 tensors, got 1',
    );
    expect(compareTensorLists([float([1], 1), float([1], 1)], [float([1], 1)], tolerance, 'x').failure).toMatch(
      'expected 1 tensors, got 2',
    );
  });

  test('reports which tensor differs', () => {
    expect(
      compareTensorLists([float([1], 1), float([1], 2)], [float([1], 1), float([1], 1)], tolerance, 'x').failure,
    ).toMatch('x[1][0]');
  });
});

describe('compareExactly', () => {
  test('accepts equal nested rows and counts the leaves', () => {
    expect(compareExactly([[1, 2], [], ['a']], [[1, 2], [], ['a']], 'ids')).toEqual({
      ...NOTHING_COMPARED,
      elements: 3,
    });
  });

  test.each([
    ['another number', [[1, 3]], [[1, 2]], 'ids[0][1]: expected 2, got 3'],
    ['a row too short', [[1]], [[1, 2]], 'ids[0]: expected 2 items, got 1'],
    ['a row too long', [[1, 2, 3]], [[1, 2]], 'ids[0]: expected 2 items, got 3'],
    ['another text', ['a '], ['a'], 'ids[0]: expected "a", got "a "'],
    ['no list', 'ab', [['a']], 'ids: expected a list'],
    ['a number for a text', ['1'], [1], 'ids[0]: expected 1, got "1"'],
  ])('fails on %s', (_, actual, expected, failure) => {
    expect(compareExactly(actual, expected, 'ids').failure).toMatch(failure);
  });
});

test('joining keeps the first failure and the larger numbers', () => {
  const a = { elements: 1, largest: 3, largestRatio: 0.1, failure: 'first' };
  expect(
    joinComparisons(joinComparisons(NOTHING_COMPARED, a), {
      elements: 2,
      largest: 1,
      largestRatio: 7,
      failure: 'second',
    }),
  ).toEqual({ elements: 3, largest: 3, largestRatio: 7, failure: 'first' });
});

describe('zeroUncompared', () => {
  test('sets masked positions to zero in a copy', () => {
    const tensor = float([2, 2, 2], 1, 2, 3, 4, 5, 6, 7, 8);
    expect([
      ...(zeroUncompared(tensor, [
        [1, 0],
        [0, 1],
      ])?.data ?? []),
    ]).toEqual([1, 2, 0, 0, 0, 0, 7, 8]);
    expect(tensor.data[2]).toBe(3);
  });

  test('rejects a mask of another shape', () => {
    expect(zeroUncompared(float([1, 2], 1, 2), [[1]])).toBeUndefined();
  });
});
