import type { ImageInput } from './image-inputs.ts';

/** Waiting for a server takes no core. */
const THREADS_FOR_URLS = 4;

/** Number of threads that decode these images; undefined for the number that suits the cores. */
export function readingThreads(images: readonly { readonly input: ImageInput }[]): number | undefined {
  const isFetched = ({ input }: { readonly input: ImageInput }): boolean =>
    'source' in input && input.source instanceof URL && input.source.protocol !== 'file:';
  return images.some(isFetched) ? THREADS_FOR_URLS : undefined;
}
