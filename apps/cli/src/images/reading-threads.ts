import { availableParallelism } from 'node:os';

import type { ImageInput } from './image-input.ts';

/**
 * Cores for each thread that decodes: a photograph of 12 megapixels takes one about 0.15 s, the model all others for
 * longer.
 */
const CORES_PER_THREAD = 4;
const MAX_THREADS = 4;
/** Whoever waits for a server needs no core. */
const THREADS_FOR_URLS = 4;

/** On how many threads images are opened. */
export function readingThreads(
  images: readonly { readonly input: ImageInput }[],
  cores: number = availableParallelism(),
): number {
  if (images.some(({ input }) => 'source' in input && input.source instanceof URL && input.source.protocol !== 'file:'))
    return THREADS_FOR_URLS;
  return Math.min(Math.max(1, Math.floor(cores / CORES_PER_THREAD)), MAX_THREADS);
}
