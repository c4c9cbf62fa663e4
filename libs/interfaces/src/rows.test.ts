import { expect, test } from 'vitest';

import { concatPositions, onesMask, pickRows, repeatRow, slicePositions, stackRows } from './rows.ts';
import type { Tensor } from './tensor.ts';

type Positions = Tensor<'float32', [rows: number, positions: number, width: number]>;

/** `[rows, positions, width]` with consecutive values from `start`. */
function positions(rows: number, count: number, width: number, start = 0): Positions {
  const data = Float32Array.from({ length: rows * count * width }, (_, index) => start + index);
  return { type: 'float32', dims: [rows, count, width], data };
}

test('stackRows concatenates batches along the first axis', () => {
  const stacked = stackRows([positions(1, 2, 2), positions(2, 2, 2, 10)]);
  expect(stacked.dims).toEqual([3, 2, 2]);
  expect([...stacked.data]).toEqual([0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17]);
});

test('pickRows selects rows in the given order, repeats included', () => {
  const picked = pickRows(positions(3, 1, 2), [2, 0, 2]);
  expect(picked.dims).toEqual([3, 1, 2]);
  expect([...picked.data]).toEqual([4, 5, 0, 1, 4, 5]);
});

test('repeatRow repeats a single row', () => {
  const repeated = repeatRow(positions(1, 2, 1), 3);
  expect(repeated.dims).toEqual([3, 2, 1]);
  expect([...repeated.data]).toEqual([0, 1, 0, 1, 0, 1]);
});

test('concatPositions concatenates the positions of each row', () => {
  const joined = concatPositions(positions(2, 1, 2), positions(2, 2, 2, 10));
  expect(joined.dims).toEqual([2, 3, 2]);
  expect([...joined.data]).toEqual([0, 1, 10, 11, 12, 13, 2, 3, 14, 15, 16, 17]);
});

test('slicePositions keeps a range of positions of every row', () => {
  const kept = slicePositions(positions(2, 3, 2), 1, 3);
  expect(kept.dims).toEqual([2, 2, 2]);
  expect([...kept.data]).toEqual([2, 3, 4, 5, 8, 9, 10, 11]);
});

test('onesMask returns one row of ones per sequence', () => {
  expect(onesMask(2, 3)).toEqual([
    [1, 1, 1],
    [1, 1, 1],
  ]);
});

test('tensors that differ in any other axis are refused', () => {
  const error = expect.objectContaining({ code: 'SHAPE_MISMATCH' }) as Error;
  expect(() => stackRows([positions(1, 2, 2), positions(1, 3, 2)])).toThrow(error);
  expect(() => concatPositions(positions(1, 2, 2), positions(2, 2, 2))).toThrow(error);
  expect(() => concatPositions(positions(1, 2, 2), positions(1, 2, 3))).toThrow(error);
});
