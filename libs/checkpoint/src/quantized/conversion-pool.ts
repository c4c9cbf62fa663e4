import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { moduleExecArgv, moduleUrl } from '@blip2/files';
import { Blip2Error, defined, type ErrorCode, messageOf } from '@blip2/interfaces';

import { type ConversionTask, convertRows, taskBytes } from './convert-rows.ts';

/** Data passed to a worker thread at its start. */
export interface ConversionWorkerData {
  /** Descriptor of the open target file, valid in every thread. */
  readonly target: number;
}
/** Reply of a worker thread to a task. */
export type ConversionReply =
  { readonly done: true } | { readonly done: false; readonly code: ErrorCode; readonly message: string };

/** Options of `convertAll`. */
export interface PoolOptions {
  /** Number of threads. Default: one per core. */
  readonly threads: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onConverted: (task: ConversionTask) => void;
}

/** Each thread needs about 40 MB. With this many, the disk has long been the bottleneck. */
const MAX_THREADS = 16;
/** Work up to this many bytes is done before threads would have started. */
const INLINE_BYTES = 2 ** 24;

/**
 * Runs all tasks on worker threads, in any order. Once the promise settles, no thread writes any more.
 * @throws Blip2Error as `convertRows`, `WORKER_FAILED`; the signal's reason.
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
    // Aborts are delivered only when the event loop turns.
    await setImmediate();
    signal?.throwIfAborted();
    convertRows(task, target);
    onConverted(task);
  }
}

/** Runs one worker thread on the shared queue of tasks. */
async function work(
  remaining: Iterator<ConversionTask>,
  target: number,
  { signal, onConverted }: PoolOptions,
  failures: unknown[],
): Promise<void> {
  const worker = new Worker(
    moduleUrl('checkpoint/quantized/conversion-worker.js', () => new URL('./conversion-worker.js', import.meta.url)),
    {
      name: 'blip2 conversion',
      execArgv: moduleExecArgv(),
      workerData: { target } satisfies ConversionWorkerData,
    },
  );
  // A thread that is starting or converting ends at once, so that an abort does not wait for it.
  const stop = (): void => void worker.terminate();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for (
      let next = remaining.next();
      !next.done && failures.length === 0 && !signal?.aborted;
      next = remaining.next()
    ) {
      const reply = await runTask(worker, next.value);
      if (!reply.done) throw new Blip2Error(reply.code, reply.message);
      onConverted(next.value);
    }
  } catch (error) {
    failures.push(error);
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}

function runTask(worker: Worker, task: ConversionTask): Promise<ConversionReply> {
  return new Promise((resolve, reject) => {
    // All listeners of these events: those of the worker itself keep the process alive while a reply is pending.
    const settle = (): void => {
      for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
    };
    worker.once('message', (reply: ConversionReply) => {
      settle();
      resolve(reply);
    });
    const lost = (got: string, cause?: unknown): void => {
      settle();
      reject(
        new Blip2Error('WORKER_FAILED', 'A thread that converts weights ended', {
          got,
          fix: 'Load the model again, with fewer conversionThreads if memory is short',
          ...defined({ cause }),
        }),
      );
    };
    worker.once('error', (cause: unknown) => lost(messageOf(cause), cause));
    worker.once('exit', (code) => lost(`exit code ${code}`));
    worker.postMessage(task);
  });
}
