import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { relativeBucket, type RelativeBucketOptions, relativeBuckets } from './relative-buckets.ts';

interface Recorded extends RelativeBucketOptions {
  /** Where a bucket begins, by rising distance, and which; up to a distance of 1500. */
  readonly runs: readonly (readonly [distance: number, bucket: number])[];
}

/** What `_relative_position_bucket` of transformers 5.18.0 gives. */
const recorded: readonly Recorded[] = JSON.parse(
  readFileSync(new URL('../../../../tools/parity/cases/values/relative-buckets.json', import.meta.url), 'utf8'),
);
const FARTHEST = 1500;

describe('the bucket of a distance', () => {
  test.each(recorded)(
    'is that of HF: $numBuckets buckets up to $maxDistance, both directions $bidirectional',
    ({ runs, ...options }) => {
      const expected: number[] = [];
      runs.forEach(([from, bucket], index) =>
        expected.push(...new Array<number>((runs[index + 1]?.[0] ?? FARTHEST + 1) - from).fill(bucket)),
      );
      expect(Array.from({ length: 2 * FARTHEST + 1 }, (_, index) => relativeBucket(index - FARTHEST, options))).toEqual(
        expected,
      );
    },
  );
});

describe('the buckets of all pairs', () => {
  test('have one row per query, with positions that continue the past', () => {
    const options = { numBuckets: 32, maxDistance: 128, bidirectional: false };
    expect(relativeBuckets([2, 3], [0, 1, 2, 3], options)).toEqual({
      type: 'int64',
      dims: [2, 4],
      data: BigInt64Array.of(2n, 1n, 0n, 0n, 3n, 2n, 1n, 0n),
    });
  });
});
