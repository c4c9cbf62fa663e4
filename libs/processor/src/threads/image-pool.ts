import { availableParallelism } from 'node:os';

import { Blip2Error, unlessAborted } from '@blip2/interfaces';

import { estimatePixels } from './estimate-pixels.ts';
import { type ImageTask, performTask, type ResizeSettings } from './image-task.ts';
import { type ImageThread, type RunOptions, startImageThread, type ThreadRun } from './image-thread.ts';
import { createSlots, type Slots } from './slots.ts';

/** Cores per thread: a 12-megapixel photograph takes 0.15 s of one core, the model takes the others longer. */
const CORES_PER_THREAD = 4;
const MAX_THREADS = 4;
/** One image of a thread is decoded by libvips while the other is resized. */
const TASKS_PER_THREAD = 2;
/** Fetched images that wait for a thread, or for their server. */
const MAX_FETCHES = 16;
/** Up to this many pixels before and after resizing, an image takes less than 5 ms of the calling thread. */
const SMALL_PIXELS: number = 2 ** 18;
/** Threads end after this time without work, in milliseconds. */
const IDLE_TIME = 30_000;

/** Threads that decode and resize images, and the limits on how many images are in memory. */
export interface ImagePool extends AsyncDisposable {
  /** Held by every image from reading its bytes until its thread is done with it. */
  readonly slots: Slots;
  /** Held by every image that is fetched from a server. */
  readonly fetches: Slots;
  /** How many images one caller should have in progress. */
  readonly concurrency: number;
  /** Starts a task, on a thread unless it is small or no thread can be started. */
  run(task: ImageTask, options: RunOptions): ThreadRun;
}

/** Number of threads on a machine with this many cores. */
export function defaultThreads(cores: number = availableParallelism()): number {
  return Math.min(Math.max(1, Math.floor(cores / CORES_PER_THREAD)), MAX_THREADS);
}

let shared: ImagePool | undefined;

/** The pool of this process, or of this worker thread. */
export function sharedImagePool(): ImagePool {
  return (shared ??= createImagePool(defaultThreads()));
}

/** Options of `createImagePool`. */
export interface PoolOptions {
  /** Starts a thread; replaced in tests. */
  readonly start?: () => ImageThread;
  /** Images of up to this many pixels are decoded on the calling thread. Default 2^18. */
  readonly smallPixels?: number;
}

/** Creates a pool, which starts threads when they are needed and ends them when they are idle. */
export function createImagePool(
  count: number,
  { start = startImageThread, smallPixels = SMALL_PIXELS }: PoolOptions = {},
): ImagePool {
  /** Number of tasks of each thread, those that wait for its start included. */
  const threads = new Map<ImageThread, number>();
  let canStart = true;
  let isDisposed = false;
  let idle: NodeJS.Timeout | undefined;

  function leastBusy(): ImageThread {
    for (const thread of threads.keys()) if (thread.isLost) threads.delete(thread);
    const [first] = [...threads].sort(([, a], [, b]) => a - b);
    if (first && (first[1] === 0 || threads.size >= count)) return first[0];
    return start();
  }
  function countTask(thread: ImageThread, change: 1 | -1): void {
    if (change === 1 || threads.has(thread)) threads.set(thread, (threads.get(thread) ?? 0) + change);
  }
  async function runOnThread(task: ImageTask, options: RunOptions): Promise<ThreadRun> {
    if (isDisposed) throw new Blip2Error('DISPOSED', 'The image threads have been disposed of');
    let thread: ImageThread;
    try {
      if (!canStart) return runHere(task, options);
      thread = leastBusy();
    } catch {
      canStart = false;
      return runHere(task, options);
    }
    countTask(thread, 1);
    try {
      await thread.ready;
    } catch {
      // A bundle without the thread's file, or a process that must not start threads.
      canStart = false;
      return runHere(task, options);
    }
    if (options.signal?.aborted) countTask(thread, -1);
    options.signal?.throwIfAborted();
    const run = thread.run(task, options);
    void run.finished.then(() => countTask(thread, -1));
    return run;
  }
  async function endThreads(): Promise<void> {
    clearTimeout(idle);
    const ended = [...threads.keys()];
    threads.clear();
    await Promise.all(ended.map((thread) => thread.end()));
  }
  function endWhenIdle(): void {
    clearTimeout(idle);
    idle = setTimeout(() => {
      if ([...threads.values()].every((tasks) => tasks === 0)) void endThreads();
    }, IDLE_TIME).unref();
  }

  return {
    slots: createSlots(count * TASKS_PER_THREAD),
    fetches: createSlots(MAX_FETCHES),
    concurrency: count * TASKS_PER_THREAD,
    run(task, options) {
      if (isSmall(task, smallPixels)) return runHere(task, options);
      const run = runOnThread(task, options);
      const finished = run.then((started) => started.finished).catch(() => {});
      void finished.then(endWhenIdle);
      return { result: run.then((started) => started.result), finished };
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true;
      await endThreads();
    },
  };
}

function runHere(task: ImageTask, { signal }: RunOptions): ThreadRun {
  const result = performTask(task, () => signal?.throwIfAborted());
  return { result: unlessAborted(result, signal), finished: result.then(noop, noop) };
}

function noop(): void {}

function isSmall({ input, resizing }: ImageTask, limit: number): boolean {
  const pixels = input instanceof Uint8Array ? estimatePixels(input) : pixelsOf(input);
  return pixels <= limit && (resizing === undefined || targetPixels(resizing) <= limit);
}

function pixelsOf(image: Exclude<ImageTask['input'], Uint8Array>): number {
  return 'dims' in image ? image.dims[0] * image.dims[1] : image.width * image.height;
}

function targetPixels({ doResize, size }: ResizeSettings): number {
  if (!doResize) return 0;
  return 'height' in size ? size.height * size.width : (size.longestEdge ?? size.shortestEdge * 2) * size.shortestEdge;
}
