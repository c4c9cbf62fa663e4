/** A function to be timed. */
export interface TimedRun {
  /** Threads that it keeps busy throughout. */
  readonly threads: number;
  run(): Promise<unknown>;
}

export interface Stopwatch {
  /** Milliseconds. */
  now(): number;
  /** Milliseconds of CPU time used by all threads of the process. */
  cpu(): number;
  /** Waits after a sample until its threads have stopped spinning. */
  pause(): Promise<void>;
}

/** More rounds do not find shorter times. */
const MAX_ROUNDS = 8;
/** Runs per sample: the first wakes the threads, the second finds them awake, as the operators of a graph do. */
const RUNS = 2;
/**
 * Share of CPU time that the threads of a sample must have had for it to count: about 1 on an idle machine, about 0.5
 * if two threads share a processor.
 */
const MIN_SHARE = 0.8;

/**
 * Measures the shortest time of each run in milliseconds; undefined for a run that was disturbed every time. Each round
 * makes all runs, in alternating order, so that other load affects them equally. There is at least one round, and none
 * that would end after `deadline`.
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

/** The shortest of several consecutive runs; undefined if other programs used the processors too. */
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
  // The system accounts for all CPU time of a thread only once it sleeps.
  await pause();
  return cpu() - used >= MIN_SHARE * threads * sum ? shortest : undefined;
}
