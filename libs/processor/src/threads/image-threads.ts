import type { ImageSource, RgbImage } from '@blip2/interfaces';

import type { DecodeImageOptions } from '../images/decode-image.ts';
import type { ResamplingName } from '../resampling/filters.ts';
import { createImagePool, defaultThreads } from './image-pool.ts';
import { runImageTask } from './run-image-task.ts';

/** Size in pixels to which an image is resized, and the filter. */
export interface Resizing {
  readonly height: number;
  readonly width: number;
  readonly resample: ResamplingName;
}

/** Options of `ImageThreads.open`. */
export interface OpenImageOptions extends DecodeImageOptions {
  /** Default: the image keeps its size. */
  readonly resizing?: Resizing | undefined;
}

/** A decoded image, and its size in pixels before resizing, after its orientation was applied. */
export interface OpenedImage {
  readonly image: RgbImage;
  readonly height: number;
  readonly width: number;
}

/** Threads that decode and resize images, apart from those that `BlipImageProcessor` uses. */
export interface ImageThreads extends AsyncDisposable {
  readonly threads: number;
  /**
   * Decodes an image, and resizes it if requested.
   * @throws Blip2Error as `decodeImage`; `DISPOSED` after disposal.
   */
  open(source: ImageSource, options?: OpenImageOptions): Promise<OpenedImage>;
}

/**
 * Creates up to `count` threads, which start with the first image. They decode every image, however small. Default: one
 * for every four cores, 1 to 4.
 */
export function createImageThreads(count: number = defaultThreads()): ImageThreads {
  const pool = createImagePool(count, { smallPixels: 0 });
  return {
    threads: count,
    async open(source, { resizing, ...options } = {}) {
      const settings = resizing && toSettings(resizing);
      return runImageTask(source, settings, options, pool);
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

function toSettings({ height, width, resample }: Resizing): Parameters<typeof runImageTask>[1] {
  return { doResize: true, size: { height, width }, resample, doCenterCrop: false, cropSize: undefined };
}
