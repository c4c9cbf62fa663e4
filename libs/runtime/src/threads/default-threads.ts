import type { PartHost } from '../part-host.ts';
import { chooseThreads, threadCandidates, type ThreadTiming } from './choose-threads.ts';
import { measureThreads } from './measure-threads.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { type UsableProcessors, usableProcessors } from './usable-processors.ts';
import { readVerdict, thisMachine, verdictFile, verdictFolder, writeVerdict } from './verdict-file.ts';

/** What the number of threads is for. */
export interface ThreadUse {
  /** Bytes of the weights; asked only if no number is known. Few are not worth a measurement. */
  readonly weightBytes: () => number | Promise<number>;
  /** Where to measure. Default: the calling thread, which is held meanwhile. */
  readonly host?: PartHost | undefined;
}

export type DefaultThreads = (use: ThreadUse) => Promise<number | undefined>;

/** With fewer bytes of weights than this an image takes less time than the measurement. */
const WORTH_MEASURING = 64 * 1024 ** 2;

const MEASURING_PART = new URL('./measuring-part.js', import.meta.url);

/** What tests replace. */
export interface ThreadSource {
  readonly usable: () => UsableProcessors;
  /** Folder of kept verdicts. */
  readonly folder: () => string;
  readonly measure: (candidates: readonly number[]) => Promise<readonly ThreadTiming[] | undefined>;
}

const SYSTEM: ThreadSource = { usable: usableProcessors, folder: verdictFolder, measure: measureThreads };

/**
 * The number of threads within one operator that is quickest on this machine's processors: all that this process may
 * use, or fewer. Measured once and kept for a day, next to converted weights.
 *
 * If none is known and the work is too small for a measurement, or other programs are too busy for one, it is what a
 * quota grants; without a quota, nothing: then the runtime uses its own number, the physical cores that it sees. Never
 * rejects.
 */
export const defaultThreads: DefaultThreads = createDefaultThreads();

export function createDefaultThreads({ usable, folder, measure }: ThreadSource = SYSTEM): DefaultThreads {
  let known: Promise<number | undefined> | undefined;

  function measured(
    processors: UsableProcessors,
    candidates: readonly number[],
    file: string,
  ): Promise<number | undefined> {
    return oneAtATime(
      file,
      () => readVerdict(file, processors),
      async () => {
        const timings = await measure(candidates);
        if (!timings) return undefined;
        const threads = chooseThreads(timings, processors);
        await writeVerdict(file, { threads, timings });
        return threads;
      },
    );
  }

  return async ({ weightBytes, host }) => {
    if (known) return known;
    const processors = usable();
    const candidates = threadCandidates(processors);
    if (candidates.length === 1) return candidates[0];
    // The runtime knows of no quota.
    const granted = Math.max(...candidates);
    const unmeasured = granted < processors.processors ? granted : undefined;
    const file = verdictFile(folder(), thisMachine(processors));
    const kept = await readVerdict(file, processors);
    if (kept !== undefined) return (known ??= Promise.resolve(kept));
    // What cannot be counted is left to those who load it.
    const bytes = await Promise.resolve()
      .then(weightBytes)
      .catch(() => 0);
    if (bytes < WORTH_MEASURING) return unmeasured;
    const measuring = known ?? (host ? measuredIn(host) : measured(processors, candidates, file));
    return (known ??= measuring.then(
      (threads) => threads ?? unmeasured,
      () => unmeasured,
    ));
  };
}

/** What a worker finds out. It reads and writes the same file, and remembers the number for its own sessions. */
async function measuredIn(host: PartHost): Promise<number | undefined> {
  const part = await host.create<MeasuringPart>({ module: MEASURING_PART, export: 'measuringPart' });
  const { threads } = part;
  await part[Symbol.asyncDispose]();
  return threads;
}

/** A part that has nothing but a number. */
export interface MeasuringPart extends AsyncDisposable {
  readonly threads: number | undefined;
}
