/** Something to time. */
export interface TimedRun {
  /** Threads that it keeps busy, from the call to its end. */
  readonly threads: number;
  run(): Promise<unknown>;
}

export interface Stopwatch {
  /** Milliseconds. */
  now(): number;
  /** Milliseconds of processor time that all threads of the process have had. */
  cpu(): number;
  /** After each sample, until its threads have stopped waiting for more work. */
  pause(): Promise<void>;
}

/** More rounds than this do not find shorter times. */
const MAX_ROUNDS = 8;
/** Runs of a sample: the first wakes the threads, the second finds them awake, as operators in a graph do. */
const RUNS = 2;
/**
 * A sample counts if its threads had this share of the processors' time: it is about 1 on an idle machine, about 0.5 if
 * two threads had to share a processor.
 */
const MIN_SHARE = 0.8;

/**
 * The shortest time of each run, in milliseconds; nothing for runs that were disturbed each time. Rounds go through all
 * of them, forwards and backwards in turn, so that what else the machine does affects all alike. There is one round at
 * least, and none that would end after `deadline`.
 */
export async function bestTimes(
  runs: readonly TimedRun[],
  deadline: number,
  stopwatch: Stopwatch,
): Promise<readonly (number | undefined)[]> {
  const best: (number | undefined)[] = runs.map(() => undefined);
  const order = runs.map((run, at) => [run, at] as const);
  await stopwatch.pause();
  for (let round = 0, longest = 0; round < MAX_ROUNDS; round++) {
    const started = stopwatch.now();
    if (round > 0 && started + longest > deadline) break;
    for (const [run, at] of round % 2 === 0 ? order : order.toReversed()) {
      const time = await sample(run, stopwatch);
      if (time !== undefined) best[at] = Math.min(best[at] ?? Infinity, time);
    }
    longest = Math.max(longest, stopwatch.now() - started);
  }
  return best;
}

/** The shortest of a few runs in a row; nothing if other programs had the processors for a part of the time. */
async function sample({ threads, run }: TimedRun, { now, cpu, pause }: Stopwatch): Promise<number | undefined> {
  const used = cpu();
  let [shortest, sum] = [Infinity, 0];
  for (let count = 0; count < RUNS; count++) {
    const began = now();
    await run();
    const time = now() - began;
    shortest = Math.min(shortest, time);
    sum += time;
  }
  // Only of threads that have gone to sleep does the system know all that they used.
  await pause();
  return cpu() - used >= MIN_SHARE * threads * sum ? shortest : undefined;
}
