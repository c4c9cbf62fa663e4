import { Worker } from 'node:worker_threads';

import { moduleExecArgv, moduleUrl } from '@blip2/files';
import { onAbort } from '@blip2/interfaces';

import { decodeError, type ImageReply, type ImageRequest, threadFailed } from './image-messages.ts';
import type { ImageResult, ImageTask } from './image-task.ts';

/** A task on a thread. */
export interface ThreadRun {
  /** Rejected with the abort reason as soon as the signal aborts. */
  readonly result: Promise<ImageResult>;
  /** Resolved once the thread is done with the image and has freed its memory, aborted or not. */
  readonly finished: Promise<void>;
}

/** A thread that performs tasks. It keeps the process alive only while it does so: others may wait for its slots. */
export interface ImageThread {
  /** Rejected if the thread cannot start. */
  readonly ready: Promise<void>;
  readonly isLost: boolean;
  /** Starts a task. Its bytes are moved to the thread instead of copied if `isOwned`. */
  run(task: ImageTask, options: RunOptions): ThreadRun;
  end(): Promise<void>;
}

/** Options of a run. */
export interface RunOptions {
  readonly isOwned: boolean;
  readonly signal: AbortSignal | undefined;
}

interface Waiting {
  resolve(result: ImageResult): void;
  reject(error: unknown): void;
  finish(): void;
}

/** Starts a thread. */
export function startImageThread(): ImageThread {
  // `.js` is the built file. When tests run from source, their loader resolves it to the `.ts` file next to it.
  const worker = new Worker(
    moduleUrl('processor/threads/image-worker.js', () => new URL('./image-worker.js', import.meta.url)),
    { name: 'blip2 images', execArgv: moduleExecArgv() },
  );
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  let isLost = false;
  let isStarting = true;
  let started: () => void = () => {};
  let cannotStart: (error: unknown) => void = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    started = resolve;
    cannotStart = reject;
  });

  const updateRef = (): void => {
    if (isStarting || waiting.size > 0) worker.ref();
    else worker.unref();
  };
  const fail = (got: string, cause?: unknown): void => {
    isLost = true;
    isStarting = false;
    const error = threadFailed(got, cause);
    cannotStart(error);
    for (const { reject, finish } of waiting.values()) {
      reject(error);
      finish();
    }
    waiting.clear();
    updateRef();
  };
  worker.on('error', (error: unknown) => fail(error instanceof Error ? error.message : String(error), error));
  worker.on('messageerror', (error) => fail(error.message, error));
  worker.on('exit', (code) => fail(`its exit with code ${code}`));
  worker.on('message', (reply: ImageReply) => {
    if ('ready' in reply) {
      isStarting = false;
      started();
    } else {
      const task = waiting.get(reply.id);
      waiting.delete(reply.id);
      if ('result' in reply) task?.resolve(reply.result);
      else task?.reject(decodeError(reply.error));
      task?.finish();
    }
    updateRef();
  });

  function run(task: ImageTask, { isOwned, signal }: RunOptions): ThreadRun {
    const id = nextId++;
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const result = new Promise<ImageResult>((resolve, reject) => {
      const entry: Waiting = { resolve, reject, finish };
      const abort = (): void => {
        reject(signal?.reason);
        worker.postMessage({ abort: id } satisfies ImageRequest);
      };
      void finished.then(onAbort(signal, abort));
      try {
        post(worker, { id, task }, isOwned);
      } catch (error) {
        finish();
        throw error;
      }
      waiting.set(id, entry);
      updateRef();
    });
    return { result, finished };
  }

  return {
    ready,
    get isLost() {
      return isLost;
    },
    run,
    end: async () => void (await worker.terminate()),
  };
}

function post(worker: Worker, { id, task }: { readonly id: number; readonly task: ImageTask }, isOwned: boolean): void {
  const { input } = task;
  const view = input instanceof Uint8Array ? input : input.data;
  // A clone of a view would contain all of its buffer, which may be Node's pool or a whole archive.
  const isCopied = !isOwned && view.byteLength < view.buffer.byteLength;
  // Not `slice`: that of a Buffer is a view.
  const data = isCopied ? new Uint8Array(view) : view;
  const message = { id, task: isCopied ? { ...task, input: withData(input, data) } : task };
  const buffers = (isOwned || isCopied) && data.buffer instanceof ArrayBuffer ? [data.buffer] : [];
  try {
    worker.postMessage(message, buffers);
  } catch {
    // Memory of libvips and of Node's pool cannot be transferred: it is copied.
    worker.postMessage(message);
  }
}

function withData(input: ImageTask['input'], data: Uint8Array | Uint8ClampedArray): unknown {
  return input instanceof Uint8Array ? data : { ...input, data };
}
