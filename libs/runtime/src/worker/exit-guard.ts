import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

import { Blip2Error } from '@blip2/interfaces';

/** Memory shared by a thread with parts and the thread that started it: whether native code runs, and exit is due. */
export type RunGuard = Int32Array<SharedArrayBuffer>;

/** Index of the number of calls of native code in progress. */
const RUNNING = 0;
/** Index of the flag that the process is exiting. */
const EXITING = 1;

export function createRunGuard(): RunGuard {
  return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
}

/** Time in milliseconds after which an exit no longer waits. Runs are much shorter. */
const MAX_WAIT_MS = 60_000;

/** The guards of the threads that this thread has started. */
const guards = new Set<RunGuard>();
let isListening = false;

/**
 * Delays the exit of this process until the thread of the guard has left native code. Otherwise `process.exit` and
 * uncaught exceptions end the thread inside a run of onnxruntime, which aborts the process (SIGABRT). Returns a
 * function
 * that removes the guard.
 */
export function guardExit(guard: RunGuard): () => void {
  guards.add(guard);
  if (!isListening) process.on('exit', waitForRuns);
  isListening = true;
  return () => void guards.delete(guard);
}

function waitForRuns(): void {
  for (const guard of guards) Atomics.store(guard, EXITING, 1);
  const until = performance.now() + MAX_WAIT_MS;
  for (const guard of guards) {
    for (let running = Atomics.load(guard, RUNNING); running > 0; running = Atomics.load(guard, RUNNING)) {
      const outcome = Atomics.wait(guard, RUNNING, running, Math.max(0, until - performance.now()));
      if (outcome === 'timed-out') return;
    }
  }
}

/** Key of the guard that threads of the caller inherit. */
const INHERITED = '@blip2/runtime: exit guard';

/** Guards the threads that this process starts from now on, also those of the caller. Called on the main thread. */
export function guardThreads(): void {
  if (getEnvironmentData(INHERITED) !== undefined) return;
  const guard = createRunGuard();
  guardExit(guard);
  setEnvironmentData(INHERITED, guard);
}

/** Whether this is a thread that the main thread has started without `guardThreads`. */
export function isUnguardedThread(): boolean {
  return !isMainThread && getEnvironmentData(INHERITED) === undefined;
}

let own: RunGuard | undefined;

/** Sets the guard of this thread, which counts its calls of native code from then on. */
export function useRunGuard(guard: RunGuard): void {
  own = guard;
}

/**
 * Calls native code that must not be interrupted by the end of its thread.
 * @throws Blip2Error `DISPOSED` if the process is exiting.
 */
export async function runNative<T>(run: () => Promise<T>): Promise<T> {
  if (isMainThread) return run();
  const entered = [own, getEnvironmentData(INHERITED)].filter((guard) => guard instanceof Int32Array);
  for (const guard of entered) Atomics.add(guard, RUNNING, 1);
  try {
    if (entered.some((guard) => Atomics.load(guard, EXITING) === 1))
      throw new Blip2Error('DISPOSED', 'The process is exiting');
    return await run();
  } finally {
    for (const guard of entered) {
      Atomics.sub(guard, RUNNING, 1);
      Atomics.notify(guard, RUNNING);
    }
  }
}
