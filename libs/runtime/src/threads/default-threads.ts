import { moduleUrl } from '@blip2/files';
import { defined, isComplete, parseThreads, type ThreadChoice, THREADS_VARIABLE } from '@blip2/interfaces';

import type { PartHost } from '../worker/part-host.ts';
import {
  chooseFewRows,
  chooseThreads,
  DEFAULT_FEW_ROWS,
  type PhaseThreads,
  type RowTiming,
  threadCandidates,
  type ThreadTiming,
} from './choose-threads.ts';
import { measureRows, measureThreads } from './measure-threads.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { type UsableProcessors, usableProcessors } from './usable-processors.ts';
import {
  readVerdict,
  thisMachine,
  type ThreadVerdict,
  verdictFile,
  verdictFolder,
  writeVerdict,
} from './verdict-file.ts';

/** The work that threads are for. */
export interface ThreadUse {
  /** Returns the bytes of the weights. Called only if no number is known; small models are not worth measuring. */
  readonly weightBytes: () => number | Promise<number>;
  /** Host to measure in. Default: the calling thread, which is blocked meanwhile. */
  readonly host?: PartHost | undefined;
}

/** Returns the default numbers for a use. What is undefined is left to onnxruntime. */
export type DefaultThreads = (use: ThreadUse) => Promise<Partial<ThreadChoice> | undefined>;

/**
 * Where numbers come from. `pinned`: all from the environment. `measured`: now. `saved`: measured within the last day.
 * `quota`: not measured, as many threads as the quota grants. `runtime`: not measured, left to onnxruntime.
 */
export type ThreadReason = 'pinned' | 'measured' | 'saved' | 'quota' | 'runtime';

/** Default numbers and the reasons for them. */
export interface ExplainedThreads {
  readonly choice: Partial<ThreadChoice> | undefined;
  readonly reason: ThreadReason;
  /** What the environment pins. */
  readonly pinned?: Partial<ThreadChoice>;
  readonly usable: UsableProcessors;
  /** Measurements in milliseconds, if there are any. */
  readonly timings?: readonly ThreadTiming[];
  readonly rowTimings?: readonly RowTiming[];
  /** File of the measured numbers. */
  readonly file?: string;
}

/** Bytes of weights below which an image takes less time than the measurement. */
const WORTH_MEASURING = 64 * 1024 ** 2;

const measuringModule = (): URL =>
  moduleUrl('runtime/threads/measuring-part.js', () => new URL('./measuring-part.js', import.meta.url));

/** Dependencies that tests replace. */
export interface ThreadSource {
  readonly usable: () => UsableProcessors;
  /** Folder of saved verdicts; undefined if nothing can be saved, so that nothing is measured either. */
  readonly folder: () => string | undefined;
  /** Numbers of threads as pinned by the user, in the format of `parseThreads`. */
  readonly pinned: () => string | undefined;
  readonly measure: (candidates: readonly number[]) => Promise<readonly ThreadTiming[] | undefined>;
  readonly measureRows: (threads: PhaseThreads) => Promise<readonly RowTiming[] | undefined>;
}

const SYSTEM: ThreadSource = {
  usable: usableProcessors,
  folder: verdictFolder,
  pinned: () => process.env[THREADS_VARIABLE],
  measure: measureThreads,
  measureRows,
};

const system: (use: ThreadUse) => Promise<ExplainedThreads> = createThreadChooser();

/**
 * Returns the fastest numbers of threads within one operator on this machine, by phase, and the rows up to which 4-bit
 * weights are fastest. They are measured once and saved for a day, next to converted weights. `BLIP2_THREADS` replaces
 * some or all of them.
 *
 * If nothing is known and the work is too small for a measurement, or other programs are too busy, they are the CPU
 * quota of the process. Without a quota they are undefined, and onnxruntime uses the number of physical cores.
 *
 * @throws Blip2Error `INVALID_ARGUMENT` if `BLIP2_THREADS` has another format.
 */
export const defaultThreads: DefaultThreads = async (use) => (await system(use)).choice;

/**
 * Returns the numbers of `defaultThreads` and where they come from.
 * @throws Blip2Error `INVALID_ARGUMENT` if `BLIP2_THREADS` has another format.
 */
export const explainThreads: (use: ThreadUse) => Promise<ExplainedThreads> = system;

/** Creates `explainThreads` with its dependencies. */
export function createThreadChooser(source: ThreadSource = SYSTEM): (use: ThreadUse) => Promise<ExplainedThreads> {
  const { usable, folder, pinned } = source;
  let known: Promise<ExplainedThreads> | undefined;

  return async ({ weightBytes, host }) => {
    const pins = pinsOf(pinned());
    const processors = usable();
    const explained = { usable: processors, ...defined({ pinned: pins }) };
    if (pins && isComplete(pins)) return { ...explained, choice: pins, reason: 'pinned' };
    const withPins = (found: ExplainedThreads): ExplainedThreads => ({
      ...found,
      ...explained,
      choice: pins ? { ...found.choice, ...pins } : found.choice,
    });
    if (known) return withPins(await known);
    const unmeasured = withoutMeasurement(processors);
    const saved = folder();
    if (saved === undefined) return withPins(unmeasured);
    const file = verdictFile(saved, thisMachine(processors));
    const kept = await readVerdict(file, processors);
    if (kept) return withPins(await (known ??= Promise.resolve(explain(kept, 'saved', processors, file))));
    // Errors are left to the caller, who will load the same weights.
    const bytes = await Promise.resolve()
      .then(weightBytes)
      .catch(() => 0);
    if (bytes < WORTH_MEASURING) return withPins(unmeasured);
    const measuring = known ?? (host ? measuredIn(host) : measured(source, processors, file));
    return withPins(
      await (known ??= measuring.then(
        (found) => found ?? unmeasured,
        () => unmeasured,
      )),
    );
  };
}

function pinsOf(text: string | undefined): Partial<ThreadChoice> | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const threads = parseThreads(text.trim());
  return typeof threads === 'number' ? { encoder: threads, prompt: threads, decode: threads } : threads;
}

/** onnxruntime ignores quotas and affinity that allow a single processor or fewer than there are. */
function withoutMeasurement(usable: UsableProcessors): ExplainedThreads {
  const granted = Math.max(...threadCandidates(usable));
  if (granted > 1 && granted === usable.processors) return { choice: undefined, reason: 'runtime', usable };
  const choice = { encoder: granted, prompt: granted, decode: granted, fewRows: DEFAULT_FEW_ROWS };
  return { choice, reason: 'quota', usable };
}

async function measured(
  { measure, measureRows: rows }: ThreadSource,
  usable: UsableProcessors,
  file: string,
): Promise<ExplainedThreads | undefined> {
  return oneAtATime(
    file,
    async () => {
      const kept = await readVerdict(file, usable);
      return kept && explain(kept, 'saved', usable, file);
    },
    async () => {
      const timings = await measure(threadCandidates(usable));
      if (!timings) return undefined;
      const threads = chooseThreads(timings, usable);
      const readMs = timings.find((timing) => timing.threads === threads.decode)?.readMs ?? 0;
      // Without these, the numbers of threads are still worth keeping.
      const rowTimings = (await rows(threads).catch(() => undefined)) ?? [];
      const fewRows = rowTimings.length > 0 ? chooseFewRows(rowTimings, readMs) : DEFAULT_FEW_ROWS;
      const verdict = { threads: { ...threads, fewRows }, timings, rowTimings };
      await writeVerdict(file, verdict);
      return explain(verdict, 'measured', usable, file);
    },
  );
}

function explain(
  { threads: choice, timings, rowTimings }: ThreadVerdict,
  reason: 'measured' | 'saved',
  usable: UsableProcessors,
  file: string,
): ExplainedThreads {
  return { choice, reason, usable, timings, rowTimings, file };
}

/** Measures in a worker, which uses the same file and keeps the numbers for its own sessions. */
async function measuredIn(host: PartHost): Promise<ExplainedThreads> {
  const part = await host.create<MeasuringPart>({ module: measuringModule(), export: 'measuringPart' });
  const { explained } = part;
  await part[Symbol.asyncDispose]();
  return explained;
}

/** A part with the measured numbers. */
export interface MeasuringPart extends AsyncDisposable {
  readonly explained: ExplainedThreads;
}
