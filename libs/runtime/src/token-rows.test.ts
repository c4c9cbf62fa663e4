import { describe, expect, test } from 'vitest';

import { asRows, rowsTensor } from './token-rows.ts';

describe('rowsTensor', () => {
  test('concatenates rows', () => {
    expect(
      rowsTensor(
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        'ids',
      ),
    ).toEqual({ type: 'int64', dims: [2, 3], data: BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n) });
    expect(rowsTensor([], 'ids')).toEqual({ type: 'int64', dims: [0, 0], data: new BigInt64Array() });
  });

  test('rejects ragged rows by the name of the argument', () => {
    expect(() => rowsTensor([[1, 2], [3]], 'inputIds')).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH', message: expect.stringContaining('inputIds') as string }),
    );
  });

  test.each([0.5, Number.NaN, Infinity, 2 ** 53])('rejects %d', (entry) => {
    expect(() => rowsTensor([[1, entry]], 'inputIds')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('asRows', () => {
  test('returns rows unchanged, and a tensor as rows', () => {
    const rows = [
      [1, 2],
      [3, 4],
    ];
    expect(asRows(rows)).toBe(rows);
    expect(
      asRows(
        rowsTensor(
          [
            [1, -100],
            [3, 4],
          ],
          'labels',
        ),
      ),
    ).toEqual([
      [1, -100],
      [3, 4],
    ]);
  });
});
