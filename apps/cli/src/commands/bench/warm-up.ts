import { medianOf } from './bench-report.ts';

/** When times count as stable: so many in a row, each within this share of their median. */
const STABLE = { runs: 3, tolerance: 0.05 } as const;

/**
 * Repeats work until its time is stable or it has run `most` times, and returns all times in milliseconds. The first
 * runs of a process read weights, allocate memory and open sessions for the later ones.
 */
export async function untilStable(time: () => Promise<number>, most: number): Promise<readonly number[]> {
  const times: number[] = [];
  while (times.length < most && !isStable(times)) times.push(await time());
  return times;
}

function isStable(times: readonly number[]): boolean {
  const last = times.slice(-STABLE.runs);
  const middle = medianOf(last);
  return last.length === STABLE.runs && last.every((time) => Math.abs(time - middle) <= STABLE.tolerance * middle);
}
