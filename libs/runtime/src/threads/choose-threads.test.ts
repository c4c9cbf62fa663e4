import { describe, expect, test } from 'vitest';

import { chooseThreads, threadCandidates, type ThreadTiming } from './choose-threads.ts';

describe('candidates', () => {
  test.each([
    [1, undefined, [1]],
    [2, undefined, [1, 2]],
    [3, undefined, [1, 2, 3]],
    [4, undefined, [1, 2, 4]],
    [64, undefined, [1, 32, 64]],
    [64, 1.5, [1, 2]],
    [64, 4, [1, 2, 4]],
    [64, 0.5, [1]],
    [64, 1, [1]],
    [2, 8, [1, 2]],
    [1, 1.5, [1]],
  ])('%i processors, quota %s: %j', (processors, quota, expected) => {
    expect(threadCandidates({ processors, quota })).toEqual(expected);
  });
});

/** Times of both products, in milliseconds, by number of threads. */
function choose(
  times: Readonly<Record<number, number | readonly [byteMs: number, floatMs: number]>>,
  quota?: number,
): number {
  const timings = Object.entries(times).map(([threads, time]): ThreadTiming => {
    const [byteMs, floatMs] = typeof time === 'number' ? [time, time] : time;
    return { threads: Number(threads), byteMs, floatMs };
  });
  return chooseThreads(timings, { quota });
}

describe('choice', () => {
  test('all where each thread adds something', () => {
    expect(choose({ 1: 8, 2: 4.2, 4: 2.3 })).toBe(4);
  });

  test('hyper-threads of one core that add to it', () => {
    expect(choose({ 1: 3, 2: [1.9, 1.6] })).toBe(2);
  });

  test("half where hyper-threads are in one another's way", () => {
    expect(choose({ 1: 8, 4: 2.1, 8: 2.6 })).toBe(4);
  });

  test('the least of those that are within noise of the best', () => {
    expect(choose({ 1: 8, 4: 2.09, 8: 2 })).toBe(4);
    expect(choose({ 1: 8, 4: 2.11, 8: 2 })).toBe(8);
    expect(choose({ 1: 2, 2: 1.99 })).toBe(1);
  });

  test('both products count the same', () => {
    expect(choose({ 1: [4, 4], 2: [2, 7] })).toBe(2);
    expect(choose({ 1: [4, 4], 2: [2, 9] })).toBe(1);
  });

  test('threads beyond a quota stand still for a part of the time', () => {
    expect(choose({ 1: 3, 2: 1.5 }, 1.5)).toBe(2);
    expect(choose({ 1: 3, 2: 1.9 }, 1.1)).toBe(1);
    expect(choose({ 1: 3, 2: 1.9 }, 2)).toBe(2);
  });

  test('one candidate', () => {
    expect(choose({ 1: 3 })).toBe(1);
  });
});
