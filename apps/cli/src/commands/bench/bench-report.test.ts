import { describe, expect, test } from 'vitest';

import { BENCH_METRICS, type BenchSamples } from './bench-job.ts';
import { benchJson, benchTable, medianOf, rangeOf } from './bench-report.ts';

const job = { model: 'm', adapters: [], image: 'p.png', dtype: 'q4', rounds: 3, newTokens: 10 };
const samples = {
  ...Object.fromEntries(Object.keys(BENCH_METRICS).map((name) => [name, [7]])),
  tokenMs: [3.004, 1, 9, 2],
} as unknown as BenchSamples;

describe('medianOf, rangeOf', () => {
  test('are the middle and the ends, for values in any order', () => {
    expect([medianOf([9, 1, 10]), medianOf([4, 1, 10, 2]), medianOf([5])]).toEqual([9, 3, 5]);
    expect(rangeOf([3, 10, 2])).toEqual([2, 10]);
  });

  test('do not reorder the values', () => {
    const values = [3, 1, 2];
    medianOf(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('benchJson', () => {
  test('has the median, the range and the samples of each metric, rounded', () => {
    const line = JSON.parse(benchJson({ job, samples, convertMs: 12.345 })) as {
      ranges: Record<string, unknown>;
      samples: Record<string, unknown>;
    };
    expect(line).toMatchObject({
      model: 'm',
      dtype: 'q4',
      convertMs: 12.35,
      tokenMs: 2.5,
      captionMs: 7,
      ranges: { tokenMs: [1, 9], captionMs: [7, 7] },
      samples: { tokenMs: [3, 1, 9, 2] },
    });
    expect(Object.keys(line.samples)).toEqual(Object.keys(BENCH_METRICS));
    expect(Object.keys(line.ranges)).toEqual(Object.keys(BENCH_METRICS));
  });

  test('has no conversion time if nothing was converted', () => {
    expect(JSON.parse(benchJson({ job, samples }))).not.toHaveProperty('convertMs');
  });
});

describe('benchTable', () => {
  const lines = benchTable(
    [
      { job, samples, convertMs: 52_000 },
      { job: { ...job, dtype: 'fast' }, samples },
    ],
    'title',
  ).split('\n');

  test('has a column per precision and a line per metric', () => {
    expect(lines[1]).toMatch(/^ +q4 +fast$/);
    expect(lines.slice(2, -2).map((line) => line.split(' ')[0])).toEqual(Object.keys(BENCH_METRICS));
    expect(new Set(lines.slice(1, -2).map((line) => line.length)).size).toBe(1);
  });

  test('shows the range of several values', () => {
    expect(lines.find((line) => line.startsWith('tokenMs'))).toMatch(/ 2\.5 \(1\.0-9\.0\) {2}2\.5 \(1\.0-9\.0\)$/);
    expect(lines.find((line) => line.startsWith('peakMiB'))).toMatch(/ 7 +7$/);
  });

  test('has the time of a conversion', () => {
    expect(lines.at(-2)).toBe('q4: weights converted once, in 52.0 s');
  });
});
