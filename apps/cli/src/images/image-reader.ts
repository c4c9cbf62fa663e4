import { createImageThreads } from '@blip2/processor';

import { thumbnailOf } from '../report/thumbnail-of.ts';
import type { ImageReader } from './image-port.ts';

/**
 * Decodes and resizes images on `count` threads, so that the thread that runs generation is never blocked. Default: the
 * number that suits the cores.
 */
export function imageReader(count: number | undefined): ImageReader {
  const threads = createImageThreads(count);
  return {
    threads: threads.threads,
    async open(source, { resizing, allowPrivateUrls = false, thumbnail = false, signal }) {
      const opened = await threads.open(source, {
        resizing,
        autoOrient: true,
        allowUrls: true,
        allowPrivateUrls,
        signal,
      });
      return thumbnail ? { ...opened, thumbnail: await thumbnailOf(opened) } : opened;
    },
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  };
}
