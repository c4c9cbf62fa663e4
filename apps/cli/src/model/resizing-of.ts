import type { BlipImageProcessor } from '@blip2/processor';
import type { Resizing } from './model-port.ts';

/** What an image processor would do first to every picture. */
export function resizingOf({ settings: { doResize, size, resample } }: Pick<BlipImageProcessor, 'settings'>): Resizing | undefined {
  return doResize ? { ...size, resample } : undefined;
}
