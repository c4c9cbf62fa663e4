import type { UsableProcessors } from './usable-processors.ts';

/** The quickest run of each product with this many threads, in milliseconds. */
export interface ThreadTiming {
  readonly threads: number;
  readonly byteMs: number;
  readonly floatMs: number;
}

/** Numbers within this factor of the best count as equal: noise is not to decide. */
const TOLERANCE = 1.05;

/**
 * Numbers of threads that are worth a trial, least first: one, half of the processors (all cores where each has two
 * hyper-threads), all. A quota that is no whole number is rounded up: which side of it is better is measured.
 */
export function threadCandidates({ processors, quota = Infinity }: UsableProcessors): readonly number[] {
  const usable = Math.max(1, Math.min(processors, Math.ceil(quota)));
  return [...new Set([1, Math.ceil(usable / 2), usable])];
}

/** The least number of threads that is about as quick as the best. Both products count the same. */
export function chooseThreads(
  timings: readonly ThreadTiming[],
  { quota = Infinity }: Pick<UsableProcessors, 'quota'>,
): number {
  const costs = timings.map(({ threads, byteMs, floatMs }) => ({
    threads,
    // A run of a few ms ends before its threads have used up the quota; a caption does not.
    cost: Math.sqrt(byteMs * floatMs) * Math.max(1, threads / quota),
  }));
  const least = Math.min(...costs.map(({ cost }) => cost));
  return Math.min(...costs.filter(({ cost }) => cost <= least * TOLERANCE).map(({ threads }) => threads));
}
