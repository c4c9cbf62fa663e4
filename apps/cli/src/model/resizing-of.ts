import type { BlipImageProcessor } from '@blip2/processor';

import type { Resizing } from './model-port.ts';

/** What an image processor would do first to every image, where that is the same for all. */
export function resizingOf({
  settings: { doResize, size, resample },
}: Pick<BlipImageProcessor, 'settings'>): Resizing | undefined {
  return doResize && 'height' in size ? { ...size, resample } : undefined;
}
