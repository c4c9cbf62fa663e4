import { encodeJpeg } from '@blip2/processor';

import type { OpenedImage } from '../model/model-port.ts';
import type { Thumbnail } from './sheet-html.ts';

/** Pixels of the longer side: what a card shows, on a screen with small pixels. */
const LONGER_SIDE = 320;
const QUALITY = 75;

/**
 * A small JPEG of an image in its own proportions, also where its levels were resized for a model. Never larger than
 * the image itself.
 */
export async function thumbnailOf({ image, width, height }: Omit<OpenedImage, 'thumbnail'>): Promise<Thumbnail> {
  const scale = Math.min(1, LONGER_SIDE / Math.max(width, height));
  const size = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
  return { jpeg: await encodeJpeg(image, { ...size, quality: QUALITY }), ...size };
}
