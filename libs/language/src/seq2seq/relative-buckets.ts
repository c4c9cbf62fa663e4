import type { Tensor } from '@blip2/interfaces';

export interface RelativeBucketOptions {
  readonly numBuckets: number;
  readonly maxDistance: number;
  /** Whether keys after the query have separate buckets (encoder) or share the bucket of distance 0 (decoder). */
  readonly bidirectional: boolean;
}

/**
 * The bucket of a distance `key position − query position`. Small distances have one bucket each, larger ones share
 * logarithmic buckets, and all from `maxDistance` on share the last (arXiv 1910.10683, section 2.1; HF
 * `_relative_position_bucket`, whose float32 rounding decides at the boundaries).
 */
export function relativeBucket(
  distance: number,
  { numBuckets, maxDistance, bidirectional }: RelativeBucketOptions,
): number {
  const buckets = bidirectional ? Math.floor(numBuckets / 2) : numBuckets;
  const first = bidirectional && distance > 0 ? buckets : 0;
  const far = bidirectional ? Math.abs(distance) : Math.max(-distance, 0);
  const exact = Math.floor(buckets / 2);
  if (far < exact) return first + far;
  const octaves = Math.fround(
    Math.fround(Math.log(Math.fround(far / exact))) / Math.fround(Math.log(maxDistance / exact)),
  );
  return first + Math.min(exact + Math.trunc(Math.fround(octaves * (buckets - exact))), buckets - 1);
}

/** The bucket of every pair of positions, `[queries, keys]`. */
export function relativeBuckets(
  queryPositions: readonly number[],
  keyPositions: readonly number[],
  options: RelativeBucketOptions,
): Tensor<'int64', [queries: number, keys: number]> {
  const known = new Map<number, bigint>();
  const bucket = (distance: number): bigint => {
    const before = known.get(distance);
    if (before !== undefined) return before;
    const found = BigInt(relativeBucket(distance, options));
    known.set(distance, found);
    return found;
  };
  const data = new BigInt64Array(queryPositions.length * keyPositions.length);
  let index = 0;
  for (const query of queryPositions) for (const key of keyPositions) data[index++] = bucket(key - query);
  return { type: 'int64', dims: [queryPositions.length, keyPositions.length], data };
}
