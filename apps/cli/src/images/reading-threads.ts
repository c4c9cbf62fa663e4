import { availableParallelism } from 'node:os';

import type { ImageInput } from './image-inputs.ts';

/** Cores per decoding thread: a 12-megapixel photograph takes 0.15 s of one core, the model takes the others longer. */
const CORES_PER_THREAD = 4;
const MAX_THREADS = 4;
/** Waiting for a server takes no core. */
const THREADS_FOR_URLS = 4;

/** Number of threads that decode these images. */
export function readingThreads(
  images: readonly { readonly input: ImageInput }[],
  cores: number = availableParallelism(),
): number {
  if (images.some(({ input }) => 'source' in input && input.source instanceof URL && input.source.protocol !== 'file:'))
    return THREADS_FOR_URLS;
  return Math.min(Math.max(1, Math.floor(cores / CORES_PER_THREAD)), MAX_THREADS);
}
