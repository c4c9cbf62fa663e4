import { moduleUrl } from '@blip2/files';

import type { PartHost } from '../worker/part-host.ts';
import { chooseThreads, threadCandidates, type ThreadTiming } from './choose-threads.ts';
import { measureThreads } from './measure-threads.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { type UsableProcessors, usableProcessors } from './usable-processors.ts';
import { readVerdict, thisMachine, verdictFile, verdictFolder, writeVerdict } from './verdict-file.ts';

/** The work that threads are for. */
export interface ThreadUse {
  /** Returns the bytes of the weights. Called only if no number is known; small models are not worth measuring. */
  readonly weightBytes: () => number | Promise<number>;
  /** Host to measure in. Default: the calling thread, which is blocked meanwhile. */
  readonly host?: PartHost | undefined;
}

/** Returns the default number of threads for a use, or undefined to leave it to onnxruntime. */
export type DefaultThreads = (use: ThreadUse) => Promise<number | undefined>;

/** Bytes of weights below which an image takes less time than the measurement. */
const WORTH_MEASURING = 64 * 1024 ** 2;

const measuringPart = (): URL =>
  moduleUrl('runtime/threads/measuring-part.js', () => new URL('./measuring-part.js', import.meta.url));

/** Dependencies that tests replace. */
export interface ThreadSource {
  readonly usable: () => UsableProcessors;
  /** Folder of saved verdicts; undefined if nothing can be saved, so that nothing is measured either. */
  readonly folder: () => string | undefined;
  readonly measure: (candidates: readonly number[]) => Promise<readonly ThreadTiming[] | undefined>;
}

const SYSTEM: ThreadSource = { usable: usableProcessors, folder: verdictFolder, measure: measureThreads };

/**
 * Returns the fastest number of threads within one operator on this machine: all processors that this process may use,
 * or fewer. It is measured once and saved for a day, next to converted weights.
 *
 * If no number is known and the work is too small for a measurement, or other programs are too busy, it is the CPU
 * quota of the process. Without a quota it is undefined, and onnxruntime uses the number of physical cores. Never
 * rejects.
 */
export const defaultThreads: DefaultThreads = createDefaultThreads();

/** Creates `defaultThreads` with its dependencies. */
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
    // onnxruntime ignores quotas.
    const granted = Math.max(...candidates);
    const unmeasured = granted < processors.processors ? granted : undefined;
    const saved = folder();
    if (saved === undefined) return unmeasured;
    const file = verdictFile(saved, thisMachine(processors));
    const kept = await readVerdict(file, processors);
    if (kept !== undefined) return (known ??= Promise.resolve(kept));
    // Errors are left to the caller, who will load the same weights.
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

/** Measures in a worker, which uses the same file and keeps the number for its own sessions. */
async function measuredIn(host: PartHost): Promise<number | undefined> {
  const part = await host.create<MeasuringPart>({ module: measuringPart(), export: 'measuringPart' });
  const { threads } = part;
  await part[Symbol.asyncDispose]();
  return threads;
}

/** A part with the measured number of threads. */
export interface MeasuringPart extends AsyncDisposable {
  readonly threads: number | undefined;
}
