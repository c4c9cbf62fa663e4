import { type ImageSource, mustBe, unlessAborted } from '@blip2/interfaces';

import { imageFormat } from '../formats/image-format.ts';
import { checkPixels, decodeSharp, MAX_IMAGE_PIXELS } from '../images/decode-bytes.ts';
import { isRemote, readEncoded } from '../images/image-bytes.ts';
import { describeSource, isEncodedSource, isSharp } from '../images/image-source.ts';
import { checkRawImage, checkRgbImage, isRawImage, isRgbImage } from '../images/raw-image.ts';
import { type ImagePool, sharedImagePool } from './image-pool.ts';
import type { ImageResult, ImageTask, ResizeSettings } from './image-task.ts';
import type { ThreadRun } from './image-thread.ts';

/** How images are read and decoded, see `decodeImage`. */
export interface ImageTaskOptions {
  readonly autoOrient?: boolean;
  readonly allowUrls?: boolean;
  readonly allowPrivateUrls?: boolean;
  readonly maxPixels?: number;
  readonly signal?: AbortSignal;
}

/** The input of a task, and whether it may be moved to a thread instead of copied. */
interface TaskInput {
  readonly input: ImageTask['input'];
  readonly isOwned: boolean;
}

/**
 * Reads an image, decodes and resizes it: a small one on the calling thread, others on a thread of the pool. Callers
 * wait for a slot of the pool, so that few images are in memory at a time.
 * @throws Blip2Error the codes of `decodeImage`; `WORKER_FAILED` if the thread ends, for lack of memory.
 * @throws the reason of `signal` as soon as it aborts.
 */
export async function runImageTask(
  source: ImageSource,
  resizing: ResizeSettings | undefined,
  options: ImageTaskOptions,
  pool: ImagePool = sharedImagePool(),
): Promise<ImageResult> {
  const { autoOrient = false, maxPixels = MAX_IMAGE_PIXELS, signal } = options;
  signal?.throwIfAborted();
  const where = describeSource(source);
  const rules = { autoOrient, maxPixels };
  const read = (): Promise<TaskInput> => readInput(source, where, maxPixels, options);
  const { load, release } = await waitForSlot(source, read, signal, pool);
  let run: ThreadRun;
  try {
    const { input, isOwned } = await load();
    run = pool.run({ input, where, rules, resizing }, { isOwned, signal });
  } catch (error) {
    release();
    throw error;
  }
  void run.finished.then(release);
  return run.result;
}

/** Servers are slow: their images are fetched before the slot is taken. */
async function waitForSlot(
  source: ImageSource,
  read: () => Promise<TaskInput>,
  signal: AbortSignal | undefined,
  { slots, fetches }: ImagePool,
): Promise<{ readonly load: () => Promise<TaskInput>; readonly release: () => void }> {
  if (!isEncodedSource(source) || !isRemote(source)) return { load: read, release: await slots.acquire(signal) };
  const releaseFetch = await fetches.acquire(signal);
  try {
    const fetched = await read();
    return { load: async () => fetched, release: await slots.acquire(signal) };
  } finally {
    releaseFetch();
  }
}

async function readInput(
  source: ImageSource,
  where: string,
  maxPixels: number,
  { allowUrls = false, allowPrivateUrls = false, signal }: ImageTaskOptions,
): Promise<TaskInput> {
  if (isEncodedSource(source)) {
    const { bytes, isOwned } = await readEncoded(source, { allowUrls, allowPrivateUrls, signal });
    // Before a thread starts.
    imageFormat(bytes, where);
    return { input: bytes, isOwned };
  }
  if (isRgbImage(source)) {
    const { dims } = checkRgbImage(source, where);
    checkPixels(dims[1], dims[0], maxPixels, where);
    return { input: source, isOwned: false };
  }
  if (isRawImage(source)) {
    const { width, height } = checkRawImage(source, where);
    checkPixels(width, height, maxPixels, where);
    return { input: source, isOwned: false };
  }
  if (!isSharp(source)) throw mustBe('image', 'a path, URL, bytes, Blob, raw pixels or a sharp instance', source);
  const image = await unlessAborted(decodeSharp(source, where, maxPixels), signal);
  checkPixels(image.width, image.height, maxPixels, where);
  return { input: image, isOwned: true };
}
