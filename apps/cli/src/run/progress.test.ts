import { Writable } from 'node:stream';

import { describe, expect, test } from 'vitest';

import { createProgress, type Moment, paceOf } from './progress.ts';

/** The line on a terminal of this width after some of 100 images, one every `milliseconds`. */
function shownAfter(
  done: number,
  { columns, milliseconds = 500, total = 100 }: { columns?: number; milliseconds?: number; total?: number },
): string {
  let text = '';
  let at = 0;
  const stderr = Object.assign(
    new Writable({
      write: (chunk, _encoding, next) => {
        text = String(chunk);
        next();
      },
    }),
    { isTTY: true, ...(columns !== undefined && { columns }) },
  );
  const progress = createProgress({ stderr, variables: {} }, true, () => at);
  for (let count = 0; count <= done; count++, at += milliseconds) progress.show(count, total);
  expect(text.startsWith('\r\u001b[K')).toBe(true);
  return text.slice('\r\u001b[K'.length);
}

describe('the progress line', () => {
  test('has a counter, then also the rate and the remaining time', () => {
    expect(shownAfter(0, {})).toBe('0/100 images');
    expect(shownAfter(40, {})).toBe('40/100 images, 2.0/s, 30 s left');
    expect(shownAfter(100, {})).toBe('100/100 images, 2.0/s, 0 s left');
  });

  test.each([
    [500, 100_000, '2.0/s, 13 h 53 min left'],
    [5, 100_000, '200/s, 8 min 20 s left'],
    [20_000, 100_000, '3.0/min, 23 d 3 h left'],
  ])('with %i ms each, of %i: %s', (milliseconds, total, expected) => {
    expect(shownAfter(10, { milliseconds, total })).toBe(`10/${total} images, ${expected}`);
  });

  test.each([
    [40, '40/100 images, 2.0/s, 30 s left'],
    [30, '40/100, 2.0/s, 30 s left'],
    [20, '40/100, 30 s left'],
    [15, '40/100 images'],
    [10, '40/100'],
    [5, ''],
  ])('fits a terminal of %i columns without wrapping', (columns, expected) => {
    expect(shownAfter(40, { columns })).toBe(expected);
  });
});

test('assumes 80 columns for a terminal without a width', () => {
  expect(shownAfter(40, { columns: 0 })).toBe('40/100 images, 2.0/s, 30 s left');
});

describe('the rate', () => {
  test('forgets a slow start', () => {
    const moments: Moment[] = [
      { done: 0, at: 0 },
      { done: 4, at: 40_000 },
    ];
    expect(paceOf(moments)).toBeCloseTo(0.1);
    for (let batch = 2; batch <= 40; batch++) {
      moments.push({ done: batch * 4, at: 40_000 + batch * 4000 });
      paceOf(moments);
    }
    expect(paceOf(moments)).toBeCloseTo(1);
    expect(moments.length).toBeLessThan(20);
  });

  test('is known for batches that take minutes', () => {
    expect(
      paceOf([
        { done: 0, at: 0 },
        { done: 100, at: 200_000 },
        { done: 200, at: 400_000 },
      ]),
    ).toBeCloseTo(0.5);
  });

  test('is unknown before the first image is done', () => {
    expect(paceOf([])).toBeUndefined();
    expect(paceOf([{ done: 3, at: 1 }])).toBeUndefined();
    expect(
      paceOf([
        { done: 3, at: 1 },
        { done: 3, at: 9 },
      ]),
    ).toBeUndefined();
  });
});
