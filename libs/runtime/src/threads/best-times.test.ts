import { describe, expect, test } from 'vitest';

import { bestTimes, type TimedRun } from './best-times.ts';

interface Simulated {
  readonly threads: number;
  /** Milliseconds of its runs, the last one again and again. */
  readonly times: readonly number[];
  /** Processor time of each run per thread, as a share of its time; the last one again and again. */
  readonly shares?: readonly number[];
}

interface Timed {
  readonly best: readonly (number | undefined)[];
  /** Numbers of threads, as they ran. */
  readonly order: readonly number[];
}

const nth = (values: readonly number[], at: number): number => values[Math.min(at, values.length - 1)] ?? NaN;

/** A clock that only runs and pauses move. */
async function time(runs: readonly Simulated[], { deadline = Infinity, pause = 1 } = {}): Promise<Timed> {
  let [now, cpu] = [0, 0];
  const order: number[] = [];
  const timed = runs.map(({ threads, times, shares = [1] }): TimedRun => {
    let count = 0;
    return {
      threads,
      run: async () => {
        const took = nth(times, count);
        order.push(threads);
        now += took;
        cpu += took * threads * nth(shares, count);
        count++;
      },
    };
  });
  const stopwatch = { now: () => now, cpu: () => cpu, pause: async () => void (now += pause) };
  return { best: await bestTimes(timed, deadline, stopwatch), order };
}

describe('bestTimes', () => {
  test('keeps the shortest of each, in the order of the runs', async () => {
    const { best } = await time([
      { threads: 1, times: [9, 4, 30, 5] },
      { threads: 2, times: [40, 7, 3, 6] },
    ]);
    expect(best).toEqual([4, 3]);
  });

  test('goes forwards and backwards in turn, with two runs each', async () => {
    const { order } = await time([1, 2, 4].map((threads) => ({ threads, times: [1] })));
    expect(order.slice(0, 12)).toEqual([1, 1, 2, 2, 4, 4, 4, 4, 2, 2, 1, 1]);
    expect(order.length).toBe(48);
  });

  test('begins no round that would end too late', async () => {
    // A round takes 2 * 3 + 1 + 2 * 1 + 1; one pause comes before.
    const runs = [
      { threads: 1, times: [3] },
      { threads: 2, times: [1] },
    ];
    expect((await time(runs, { deadline: 1 + 20 })).order.length).toBe(8);
    expect((await time(runs, { deadline: 1 + 19 })).order.length).toBe(4);
  });

  test('makes one round, however late it is', async () => {
    const runs = [
      { threads: 1, times: [500] },
      { threads: 2, times: [300] },
    ];
    expect(await time(runs, { deadline: 0 })).toEqual({ best: [500, 300], order: [1, 1, 2, 2] });
  });

  test('leaves out samples in which other programs had the processors', async () => {
    const { best } = await time([
      // The third run is the shortest, but it and the fourth were disturbed.
      { threads: 1, times: [5, 4, 1, 9, 6, 3], shares: [1, 1, 0.7, 0.7, 1] },
      // Two threads on one processor, then each on its own.
      { threads: 2, times: [2, 2, 1], shares: [0.5, 0.5, 0.9] },
    ]);
    expect(best).toEqual([3, 1]);
  });

  test('says nothing of a run that was disturbed each time', async () => {
    const { best } = await time([
      { threads: 1, times: [5] },
      { threads: 2, times: [2], shares: [0.79] },
      { threads: 4, times: [1], shares: [0.81] },
    ]);
    expect(best).toEqual([5, undefined, 1]);
  });
});
