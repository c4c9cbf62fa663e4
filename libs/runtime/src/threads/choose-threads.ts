import type { UsableProcessors } from './usable-processors.ts';

/** Shortest time of each product with a number of threads, in milliseconds. */
export interface ThreadTiming {
  readonly threads: number;
  readonly byteMs: number;
  readonly floatMs: number;
}

/** Costs within this factor of the best count as equal, so that noise does not decide. */
const TOLERANCE = 1.05;

/**
 * Numbers of threads to measure, in ascending order: one, half of the processors (the cores, if each has two
 * hyper-threads), and all. A fractional quota is rounded up; the measurement decides.
 */
export function threadCandidates({ processors, quota = Infinity }: UsableProcessors): readonly number[] {
  const usable = Math.max(1, Math.min(processors, Math.ceil(quota)));
  return [...new Set([1, Math.ceil(usable / 2), usable])];
}

/** The smallest number of threads about as fast as the best. Both products have the same weight. */
export function chooseThreads(
  timings: readonly ThreadTiming[],
  { quota = Infinity }: Pick<UsableProcessors, 'quota'>,
): number {
  const costs = timings.map(({ threads, byteMs, floatMs }) => ({
    threads,
    // Unlike a caption, a run of a few milliseconds ends before its threads have used up the quota.
    cost: Math.sqrt(byteMs * floatMs) * Math.max(1, threads / quota),
  }));
  const least = Math.min(...costs.map(({ cost }) => cost));
  return Math.min(...costs.filter(({ cost }) => cost <= least * TOLERANCE).map(({ threads }) => threads));
}
