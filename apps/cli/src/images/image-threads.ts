import { Blip2Error } from '@blip2/interfaces';
import { createPartHost, type PartHost } from '@blip2/runtime';

import type { ImageReader } from '../model/model-port.ts';
import type { ImagePart } from './image-part.ts';

/** A thread and what it serves. */
export interface ImageThread {
  readonly host: Pick<PartHost, typeof Symbol.asyncDispose>;
  readonly part: Promise<ImagePart>;
}

/**
 * Opens images on `count` other threads, so that decoding and resizing never hold up the thread that hands out the
 * model's tokens. Each opens one at a time.
 * A thread that is lost (its memory ran out) fails the image that it had, and is replaced.
 */
export function imageThreads(count: number, start: () => ImageThread = startThread): ImageReader {
  const threads = Array.from({ length: count }, start);
  const idle = [...threads.keys()];
  const waiting: ((index: number) => void)[] = [];

  async function acquire(): Promise<number> {
    return idle.pop() ?? new Promise((resolve) => waiting.push(resolve));
  }
  function release(index: number): void {
    const next = waiting.shift();
    if (next) next(index);
    else idle.push(index);
  }

  return {
    threads: count,
    async open(source, options) {
      const index = await acquire();
      try {
        const thread = threads[index] ?? start();
        const part = await thread.part;
        // A URL is no plain data; its text means the same to the decoder.
        return await part.open(source instanceof URL ? source.href : source, options);
      } catch (error) {
        if (error instanceof Blip2Error && error.code === 'WORKER_FAILED' && !options.signal.aborted)
          threads[index] = start();
        throw error;
      } finally {
        release(index);
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(({ host }) => host[Symbol.asyncDispose]()));
    },
  };
}

function startThread(): ImageThread {
  const host = createPartHost({ isolate: 'worker' });
  const part = host.create<ImagePart>({
    module: new URL('./image-part.js', import.meta.url),
    export: 'createImagePart',
  });
  // Whoever opens an image is told.
  part.catch(() => {});
  return { host, part };
}
