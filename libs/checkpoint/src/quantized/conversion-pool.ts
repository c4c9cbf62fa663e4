import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { Blip2Error, type ErrorCode } from '@blip2/interfaces';

import { type ConversionTask, convertRows, taskBytes } from './convert-rows.ts';

export interface ConversionWorkerData {
  /** An open file: its number is good in every thread. */
  readonly target: number;
}
export type ConversionAnswer =
  { readonly done: true } | { readonly done: false; readonly code: ErrorCode; readonly message: string };

export interface PoolOptions {
  readonly threads: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onConverted: (task: ConversionTask) => void;
}

/** Each thread holds some 40 MB, and the disk is the limit long before this many. */
const MAX_THREADS = 16;
/** So little work is done before threads have started. */
const INLINE_BYTES = 2 ** 24;

/**
 * Does all tasks, in no order, on as many threads as there are cores. Whatever happens, no thread writes any more when
 * the promise is settled.
 */
export async function convertAll(
  tasks: readonly ConversionTask[],
  target: number,
  options: PoolOptions,
): Promise<void> {
  const total = tasks.reduce((sum, task) => sum + taskBytes(task), 0);
  const threads = Math.min(options.threads ?? availableParallelism(), MAX_THREADS, tasks.length);
  if (total <= INLINE_BYTES || threads <= 1) return convertInline(tasks, target, options);
  const remaining = tasks[Symbol.iterator]();
  const failures: unknown[] = [];
  await Promise.all(Array.from({ length: threads }, () => work(remaining, target, options, failures)));
  options.signal?.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}

async function convertInline(
  tasks: readonly ConversionTask[],
  target: number,
  { signal, onConverted }: PoolOptions,
): Promise<void> {
  for (const task of tasks) {
    // An abort is heard only when the event loop turns.
    await setImmediate();
    signal?.throwIfAborted();
    convertRows(task, target);
    onConverted(task);
  }
}

/** One thread, and the tasks that it takes from those that all share. */
async function work(
  remaining: Iterator<ConversionTask>,
  target: number,
  { signal, onConverted }: PoolOptions,
  failures: unknown[],
): Promise<void> {
  const worker = new Worker(new URL('./conversion-worker.js', import.meta.url), {
    name: 'blip2 conversion',
    workerData: { target } satisfies ConversionWorkerData,
  });
  try {
    for (
      let next = remaining.next();
      !next.done && failures.length === 0 && !signal?.aborted;
      next = remaining.next()
    ) {
      const answer = await ask(worker, next.value);
      if (!answer.done) throw new Blip2Error(answer.code, answer.message);
      onConverted(next.value);
    }
  } catch (error) {
    failures.push(error);
  } finally {
    await worker.terminate();
  }
}

function ask(worker: Worker, task: ConversionTask): Promise<ConversionAnswer> {
  return new Promise((resolve, reject) => {
    // By name: the thread's own listeners are among them, which keep the process alive while an answer is due.
    const settle = (): void => {
      for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
    };
    worker.once('message', (answer: ConversionAnswer) => {
      settle();
      resolve(answer);
    });
    const lost = (got: string, cause?: unknown): void => {
      settle();
      reject(
        new Blip2Error('WORKER_FAILED', 'A thread that converts weights is gone', {
          got,
          ...(cause !== undefined && { cause }),
        }),
      );
    };
    worker.once('error', (cause: unknown) => lost(cause instanceof Error ? cause.message : String(cause), cause));
    worker.once('exit', (code) => lost(`exit code ${code}`));
    worker.postMessage(task);
  });
}
