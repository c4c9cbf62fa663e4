import { Blip2Error } from '@blip2/interfaces';
import { createPartHost, type PartHost } from '@blip2/runtime';
import type { PictureReader } from '../model/model-port.ts';
import type { PicturePart } from './picture-part.ts';

/** A thread and what it serves. */
export interface PictureThread {
  readonly host: Pick<PartHost, typeof Symbol.asyncDispose>;
  readonly part: Promise<PicturePart>;
}

/**
 * Opens pictures on `count` other threads, so that decoding and resizing never hold up the thread that hands out the model's tokens. Each opens one at a time.
 * A thread that is lost (its memory ran out) fails the picture that it had, and is replaced.
 */
export function pictureThreads(count: number, start: () => PictureThread = startThread): PictureReader {
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
        if (error instanceof Blip2Error && error.code === 'WORKER_FAILED' && !options.signal.aborted) threads[index] = start();
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

function startThread(): PictureThread {
  const host = createPartHost({ isolate: 'worker' });
  const part = host.create<PicturePart>({ module: new URL('./picture-part.js', import.meta.url), export: 'createPicturePart' });
  // Whoever opens a picture is told.
  part.catch(() => {});
  return { host, part };
}
