import { Blip2Error } from '@blip2/interfaces';
import { createPartHost, type PartHost } from '@blip2/runtime';

import type { ImageReader } from './image-port.ts';
import type { ImagePart } from './open-image.ts';

/** A thread and the part that it hosts. */
export interface ImageThread {
  readonly host: Pick<PartHost, typeof Symbol.asyncDispose>;
  readonly part: Promise<ImagePart>;
}

/**
 * Decodes and resizes images on `count` worker threads, one image per thread at a time, so that the thread that runs
 * generation is never blocked. If a thread dies (out of memory), its image fails and the thread is replaced.
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
        // A URL object cannot be sent to another thread; the decoder accepts its text as well.
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
    module: new URL('./open-image.js', import.meta.url),
    export: 'createImagePart',
  });
  // Reported by `open`, which awaits the same promise.
  part.catch(() => {});
  return { host, part };
}
