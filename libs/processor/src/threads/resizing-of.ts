import type { BlipImageProcessor } from '../blip-image-processor.ts';
import type { Resizing } from './image-threads.ts';

/**
 * The resizing that an image processor applies to every image, so that images can be resized as soon as they are
 * decoded; `undefined` if the size depends on the image.
 */
export function resizingOf({
  settings: { doResize, size, resample },
}: Pick<BlipImageProcessor, 'settings'>): Resizing | undefined {
  return doResize && 'height' in size ? { ...size, resample } : undefined;
}
