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
  for (const guard of guards) {
    for (let running = Atomics.load(guard, RUNNING); running > 0; running = Atomics.load(guard, RUNNING))
      Atomics.wait(guard, RUNNING, running);
  }
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
  const guard = own;
  if (!guard) return run();
  Atomics.add(guard, RUNNING, 1);
  try {
    if (Atomics.load(guard, EXITING) === 1) throw new Blip2Error('DISPOSED', 'The process is exiting');
    return await run();
  } finally {
    Atomics.sub(guard, RUNNING, 1);
    Atomics.notify(guard, RUNNING);
  }
}
