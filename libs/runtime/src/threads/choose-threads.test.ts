import { describe, expect, test } from 'vitest';

import {
  chooseFewRows,
  chooseThreads,
  type PhaseThreads,
  threadCandidates,
  type ThreadTiming,
} from './choose-threads.ts';
import type { CoreKind } from './processor-topology.ts';

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

/** Kinds of cores as cores and processors of each, and the numbers that are measured. */
const machines: readonly (readonly [string, Readonly<Record<string, readonly [number, number]>>, number?])[] = [
  ['16 cores with two hyper-threads', { core: [16, 32] }],
  ['a container that may use 5 processors of 3 such cores', { core: [3, 5] }],
  ['8 performance cores with two threads and 16 efficient ones', { cpu_core: [8, 16], cpu_atom: [16, 16] }],
  ['the same with a quota of 6.5', { cpu_core: [8, 16], cpu_atom: [16, 16] }, 6.5],
  ['2 fast, 3 medium and 3 slow cores', { 'capacity 1024': [2, 2], 'capacity 800': [3, 3], 'capacity 400': [3, 3] }],
];
test.each([
  [...(machines[0] ?? []), [1, 16, 32]],
  [...(machines[1] ?? []), [1, 3, 5]],
  [...(machines[2] ?? []), [1, 8, 16, 24, 32]],
  [...(machines[3] ?? []), [1, 4, 7]],
  [...(machines[4] ?? []), [1, 2, 4, 8]],
])('%s', (...given) => {
  const expected = given.at(-1);
  const [, cores, quota] = given as unknown as (typeof machines)[number];
  const kinds = Object.entries(cores).map(([name, [count, processors]]): CoreKind => ({
    name,
    cores: count,
    processors,
  }));
  const processors = kinds.reduce((sum, kind) => sum + kind.processors, 0);
  const limit = typeof quota === 'number' ? quota : undefined;
  expect(threadCandidates({ processors, quota: limit, topology: { allowed: '', kinds } })).toEqual(expected);
});

/** Times of both products, in milliseconds, by number of threads. */
function choose(
  times: Readonly<Record<number, number | readonly [byteMs: number, floatMs: number]>>,
  quota?: number,
): number {
  const timings = Object.entries(times).map(([threads, time]): ThreadTiming => {
    const [byteMs, floatMs] = typeof time === 'number' ? [time, time] : time;
    return { threads: Number(threads), byteMs, floatMs, promptMs: 1, blockMs: 1, readMs: 1 };
  });
  return chooseThreads(timings, { quota }).encoder;
}

describe('choice', () => {
  test('all threads if each helps', () => {
    expect(choose({ 1: 8, 2: 4.2, 4: 2.3 })).toBe(4);
  });

  test('hyper-threads that help', () => {
    expect(choose({ 1: 3, 2: [1.9, 1.6] })).toBe(2);
  });

  test('half if hyper-threads slow each other down', () => {
    expect(choose({ 1: 8, 4: 2.1, 8: 2.6 })).toBe(4);
  });

  test('the smallest number within noise of the best', () => {
    expect(choose({ 1: 8, 4: 2.09, 8: 2 })).toBe(4);
    expect(choose({ 1: 8, 4: 2.11, 8: 2 })).toBe(8);
    expect(choose({ 1: 2, 2: 1.99 })).toBe(1);
  });

  test('both products have the same weight', () => {
    expect(choose({ 1: [4, 4], 2: [2, 7] })).toBe(2);
    expect(choose({ 1: [4, 4], 2: [2, 9] })).toBe(1);
  });

  test('threads beyond a quota are throttled', () => {
    expect(choose({ 1: 3, 2: 1.5 }, 1.5)).toBe(2);
    expect(choose({ 1: 3, 2: 1.9 }, 1.1)).toBe(1);
    expect(choose({ 1: 3, 2: 1.9 }, 2)).toBe(2);
  });

  test('one candidate', () => {
    expect(choose({ 1: 3 })).toBe(1);
  });
});

describe('phases', () => {
  /** 4 threads multiply and 2 read fastest; a hybrid processor whose slow cores delay prompts. */
  const timings: readonly ThreadTiming[] = [
    { threads: 1, byteMs: 8, floatMs: 8, promptMs: 1, blockMs: 0.1, readMs: 4 },
    { threads: 2, byteMs: 4, floatMs: 4, promptMs: 0.5, blockMs: 0.06, readMs: 2 },
    { threads: 4, byteMs: 2, floatMs: 2, promptMs: 0.6, blockMs: 0.06, readMs: 2.2 },
  ];

  test('have numbers of their own', () => {
    expect(chooseThreads(timings, { quota: undefined })).toEqual<PhaseThreads>({ encoder: 4, prompt: 2, decode: 2 });
  });

  test('decoding counts multiplying and reading', () => {
    const decode = (second: Partial<ThreadTiming>): number => {
      const [one] = timings;
      if (!one) throw new TypeError('no timing');
      return chooseThreads([one, { ...one, threads: 2, ...second }], { quota: undefined }).decode;
    };
    expect(decode({})).toBe(1);
    expect(decode({ readMs: 2 })).toBe(2);
    expect(decode({ blockMs: 0.05 })).toBe(2);
    // What is saved in reading is lost in waking threads.
    expect(decode({ readMs: 3.9, blockMs: 0.2 })).toBe(1);
  });
});

describe('rows up to which 4-bit weights are faster', () => {
  const rows = (times: Readonly<Record<number, readonly [number, number]>>, readMs = 2): number =>
    chooseFewRows(
      Object.entries(times).map(([count, [blockMs, byteMs]]) => ({ rows: Number(count), blockMs, byteMs })),
      readMs,
    );

  test('are those before 8 bits first win', () => {
    expect(rows({ 4: [0.2, 0.2], 8: [0.3, 0.2], 16: [0.8, 0.3] })).toBe(8);
    expect(rows({ 4: [0.2, 0.2], 8: [0.5, 0.2], 16: [0.1, 0.3] })).toBe(4);
    expect(rows({ 4: [0.2, 0.2], 8: [0.2, 0.2], 16: [0.2, 0.2] })).toBe(16);
    expect(rows({ 4: [5, 0.2] })).toBe(1);
    expect(rows({})).toBe(1);
  });

  test('are more where memory is slow, since 8 bits read twice as much', () => {
    const times = { 4: [0.3, 0.2], 8: [0.6, 0.25] } as const;
    expect([rows(times, 0.1), rows(times, 2), rows(times, 10)]).toEqual([1, 4, 8]);
  });
});
