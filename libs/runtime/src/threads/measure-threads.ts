import { setTimeout as sleep } from 'node:timers/promises';

import { mainArray } from '../onnxruntime/main-context.ts';
import {
  loadOnnxRuntime,
  type OnnxRuntime,
  type OnnxRuntimeSession,
  type OnnxRuntimeTensor,
} from '../onnxruntime/onnx-runtime.ts';
import { commonSettings } from '../onnxruntime/session-settings.ts';
import { needsChildProcess } from '../onnxruntime/silence-telemetry.ts';
import { runNative } from '../worker/exit-guard.ts';
import { bestTimes, type Stopwatch, type TimedRun } from './best-times.ts';
import { MEASURED_ROWS, type PhaseThreads, type RowTiming, type ThreadTiming } from './choose-threads.ts';
import {
  blockProducts,
  byteProducts,
  DECODE_SIZE,
  floatProducts,
  PRODUCT_SIZE,
  READ_SHAPE,
  readProduct,
} from './product-graphs.ts';

/** Milliseconds for everything except loading onnxruntime: numbers of threads, then numbers of rows. */
const THREADS_BUDGET_MS = 140;
const ROWS_BUDGET_MS = 50;
/** Milliseconds of a run with one thread. They grow with the number of threads, so that each has enough work. */
const [MIN_RUN_MS, MAX_RUN_MS] = [3, 10];
/** Time that idle threads spin. Shorter than in other sessions, since spinning would hide disturbances. */
const SPIN_MICROSECONDS = '100';
/** Milliseconds of a pause: longer than threads spin. */
const PAUSE_MS = 1;
/** Rows of a run over many rows: fewer cannot be shared among threads, more take too much memory. */
const [MIN_ROWS, MAX_ROWS] = [32, 1024];
/** Rows of a prompt of a caption: one per query token, and a few of text. */
const PROMPT_ROWS = 33;

/** Short runs. The fastest determines the rows of the timed runs. */
const PROBES = 2;

const CLOCK: Stopwatch = {
  now: () => performance.now(),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  pause: () => sleep(PAUSE_MS),
};

/** Sessions of a measurement, which are released together. */
interface Bench {
  readonly runtime: OnnxRuntime;
  readonly deadline: number;
  open(model: Uint8Array, threads: number, prepack?: boolean): Promise<OnnxRuntimeSession>;
}

/**
 * Times the matrix products of a caption with each number of threads. Takes about 140 ms, during which the calling
 * thread is blocked by each run. Undefined if other programs were too busy, and in threads in which onnxruntime must not
 * be loaded.
 */
export async function measureThreads(candidates: readonly number[]): Promise<readonly ThreadTiming[] | undefined> {
  return measure(THREADS_BUDGET_MS, async (bench) => {
    const kinds: Record<keyof Omit<ThreadTiming, 'threads'>, TimedRun[]> = {
      byteMs: [],
      floatMs: [],
      promptMs: [],
      blockMs: [],
      readMs: [],
    };
    const weight = mainArray('float32', new Float32Array(READ_SHAPE[0] * READ_SHAPE[1]).fill(1 / READ_SHAPE[0]));
    const [byteGraph, floatGraph, blockGraph, readGraph] = [
      byteProducts(),
      floatProducts(),
      blockProducts(),
      readProduct(),
    ];
    const read = {
      x: rowsOf(bench.runtime, 1, READ_SHAPE[0]).x,
      w: new bench.runtime.Tensor('float32', weight, READ_SHAPE),
    };
    const rows: { byte?: number; float?: number } = {};
    for (const threads of candidates) {
      const bytes = await bench.open(byteGraph, threads);
      // As in sessions over weights: int8 weights are prepacked, float32 weights are not.
      const floats = await bench.open(floatGraph, threads, false);
      const [blocks, reads] = [await bench.open(blockGraph, threads), await bench.open(readGraph, threads)];
      rows.byte ??= await rowsFor(bench.runtime, bytes, candidates);
      rows.float ??= await rowsFor(bench.runtime, floats, candidates);
      const add = async (
        kind: keyof typeof kinds,
        session: OnnxRuntimeSession,
        feeds: Readonly<Record<string, OnnxRuntimeTensor>>,
      ): Promise<void> => {
        // The first run of each session allocates memory for the later ones.
        await session.run(feeds);
        kinds[kind].push({ threads, run: () => session.run(feeds) });
      };
      await add('byteMs', bytes, rowsOf(bench.runtime, rows.byte));
      await add('floatMs', floats, rowsOf(bench.runtime, rows.float));
      await add('promptMs', bytes, rowsOf(bench.runtime, PROMPT_ROWS));
      await add('blockMs', blocks, rowsOf(bench.runtime, 1, DECODE_SIZE));
      await add('readMs', reads, read);
    }
    const names = Object.keys(kinds) as (keyof typeof kinds)[];
    const best = await bestTimes(Object.values(kinds).flat(), bench.deadline, CLOCK);
    return candidates.map((threads, at) => ({
      threads,
      ...Object.fromEntries(names.map((name, kind) => [name, best[kind * candidates.length + at]])),
    })) as MaybeTiming<ThreadTiming>[];
  });
}

/** Times both kinds of products that can decode a batch, with the chosen numbers of threads. Takes about 50 ms. */
export async function measureRows({ prompt, decode }: PhaseThreads): Promise<readonly RowTiming[] | undefined> {
  return measure(ROWS_BUDGET_MS, async (bench) => {
    const blocks = await bench.open(blockProducts(), decode);
    const bytes = await bench.open(byteProducts(DECODE_SIZE), prompt);
    const runs = MEASURED_ROWS.flatMap((rows): TimedRun[] => {
      const feeds = rowsOf(bench.runtime, rows, DECODE_SIZE);
      return [
        { threads: decode, run: () => blocks.run(feeds) },
        { threads: prompt, run: () => bytes.run(feeds) },
      ];
    });
    for (const { run } of runs) await run();
    const best = await bestTimes(runs, bench.deadline, CLOCK);
    return MEASURED_ROWS.map((rows, at) => ({ rows, blockMs: best[2 * at], byteMs: best[2 * at + 1] }));
  });
}

/** A timing whose runs may have been disturbed every time. */
type MaybeTiming<T> = { readonly [Key in keyof T]: T[Key] | undefined };

async function measure<T extends object>(
  budget: number,
  time: (bench: Bench) => Promise<readonly MaybeTiming<T>[]>,
): Promise<readonly T[] | undefined> {
  if (needsChildProcess()) return undefined;
  return runNative(async () => {
    const runtime = await loadOnnxRuntime();
    const sessions: OnnxRuntimeSession[] = [];
    try {
      const timings = await time({
        runtime,
        deadline: CLOCK.now() + budget,
        async open(model, threads, prepack = true) {
          const session = {
            'intra_op.spin_duration_us': SPIN_MICROSECONDS,
            ...(!prepack && { disable_prepacking: '1' }),
          };
          const options = { ...commonSettings({ threads }), extra: { session } };
          const opened = await runtime.InferenceSession.create(model, options);
          sessions.push(opened);
          return opened;
        },
      });
      return timings.every((timing): timing is T => Object.values(timing).every((value) => value !== undefined))
        ? timings
        : undefined;
    } finally {
      for (const session of sessions) await session.release();
    }
  });
}

function rowsOf(runtime: OnnxRuntime, rows: number, size: number = PRODUCT_SIZE): { readonly x: OnnxRuntimeTensor } {
  return {
    x: new runtime.Tensor('float32', mainArray('float32', new Float32Array(rows * size).fill(1)), [rows, size]),
  };
}

/** As many rows as one thread multiplies in a few milliseconds. */
async function rowsFor(
  runtime: OnnxRuntime,
  single: OnnxRuntimeSession,
  candidates: readonly number[],
): Promise<number> {
  const few = rowsOf(runtime, MIN_ROWS);
  await single.run(few);
  let fewMs = Infinity;
  for (let probe = 0; probe < PROBES; probe++) {
    const began = CLOCK.now();
    await single.run(few);
    fewMs = Math.min(fewMs, CLOCK.now() - began);
  }
  const runMs = Math.min(Math.max(Math.max(...candidates) / 2, MIN_RUN_MS), MAX_RUN_MS);
  return Math.min(Math.max(Math.round((MIN_ROWS * runMs) / fewMs), MIN_ROWS), MAX_ROWS);
}
