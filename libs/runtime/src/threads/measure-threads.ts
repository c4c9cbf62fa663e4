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
import type { ThreadTiming } from './choose-threads.ts';
import { byteProducts, floatProducts, PRODUCT_SIZE } from './product-graphs.ts';

/** Milliseconds for everything except loading onnxruntime. */
const BUDGET_MS = 200;
/** Milliseconds of a run with one thread. They grow with the number of threads, so that each has enough work. */
const [MIN_RUN_MS, MAX_RUN_MS] = [3, 10];
/** Time that idle threads spin. Shorter than in other sessions, since spinning would hide disturbances. */
const SPIN_MICROSECONDS = '100';
/** Milliseconds of a pause: longer than threads spin. */
const PAUSE_MS = 1;
/** Rows of a run: fewer cannot be shared among threads, more take too much memory. */
const [MIN_ROWS, MAX_ROWS] = [32, 1024];

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

/**
 * Times the two kinds of matrix products in a caption, int8 and float32, with each number of threads. Takes about 200
 * ms, during which the calling thread is blocked by each run. Undefined if other programs were too busy, and in threads
 * in which onnxruntime must not be loaded.
 */
export async function measureThreads(candidates: readonly number[]): Promise<readonly ThreadTiming[] | undefined> {
  if (needsChildProcess()) return undefined;
  return runNative(() => timeProducts(candidates));
}

async function timeProducts(candidates: readonly number[]): Promise<readonly ThreadTiming[] | undefined> {
  const runtime = await loadOnnxRuntime();
  const deadline = CLOCK.now() + BUDGET_MS;
  const sessions: OnnxRuntimeSession[] = [];
  try {
    const open = async (model: Uint8Array, prepack: boolean): Promise<readonly TimedRun[]> => {
      const opened = await openSessions(runtime, model, candidates, prepack);
      sessions.push(...opened);
      return timedRuns(runtime, opened, candidates);
    };
    // As in sessions over weights: int8 weights are prepacked, float32 weights are not.
    const bytes = await open(byteProducts(), true);
    const floats = await open(floatProducts(), false);
    const best = await bestTimes([...bytes, ...floats], deadline, CLOCK);
    const timings = candidates.map((threads, at): MaybeTiming => ({
      threads,
      byteMs: best[at],
      floatMs: best[candidates.length + at],
    }));
    return timings.every(isTiming) ? timings : undefined;
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** A timing whose runs may have been disturbed every time. */
type MaybeTiming = { readonly [Key in keyof ThreadTiming]: ThreadTiming[Key] | undefined };

function isTiming(timing: MaybeTiming): timing is ThreadTiming {
  return timing.byteMs !== undefined && timing.floatMs !== undefined;
}

/** One session for each number of threads. */
async function openSessions(
  runtime: OnnxRuntime,
  model: Uint8Array,
  candidates: readonly number[],
  prepack: boolean,
): Promise<readonly OnnxRuntimeSession[]> {
  const session = { 'intra_op.spin_duration_us': SPIN_MICROSECONDS, ...(!prepack && { disable_prepacking: '1' }) };
  const opened: OnnxRuntimeSession[] = [];
  for (const threads of candidates) {
    opened.push(await runtime.InferenceSession.create(model, { ...commonSettings({ threads }), extra: { session } }));
  }
  return opened;
}

/** One run for each session, all over as many rows as one thread multiplies in a few milliseconds. */
async function timedRuns(
  runtime: OnnxRuntime,
  sessions: readonly OnnxRuntimeSession[],
  candidates: readonly number[],
): Promise<readonly TimedRun[]> {
  const feeds = (rows: number): { readonly x: OnnxRuntimeTensor } => ({
    x: new runtime.Tensor('float32', mainArray('float32', new Float32Array(rows * PRODUCT_SIZE).fill(1)), [
      rows,
      PRODUCT_SIZE,
    ]),
  });
  const few = feeds(MIN_ROWS);
  // The first run of each session allocates memory for the later ones.
  for (const session of sessions) await session.run(few);
  let fewMs = Infinity;
  for (let probe = 0; probe < PROBES; probe++) {
    const began = CLOCK.now();
    await sessions[0]?.run(few);
    fewMs = Math.min(fewMs, CLOCK.now() - began);
  }
  const runMs = Math.min(Math.max(Math.max(...candidates) / 2, MIN_RUN_MS), MAX_RUN_MS);
  const timed = feeds(Math.min(Math.max(Math.round((MIN_ROWS * runMs) / fewMs), MIN_ROWS), MAX_ROWS));
  return sessions.map((session, at) => ({ threads: candidates[at] ?? 1, run: () => session.run(timed) }));
}
