import { encodeJpeg } from '@blip2/processor';

import type { OpenedImage, Thumbnail } from '../images/image-port.ts';

/** Pixels of the longer side: the size of a card on a high-resolution screen. */
const LONGER_SIDE = 320;
const QUALITY = 75;

/**
 * Creates a small JPEG with the aspect ratio of the original, even if the image was resized for a model. Never larger
 * than the original.
 */
export async function thumbnailOf({ image, width, height }: Omit<OpenedImage, 'thumbnail'>): Promise<Thumbnail> {
  const scale = Math.min(1, LONGER_SIDE / Math.max(width, height));
  const size = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
  return { jpeg: await encodeJpeg(image, { ...size, quality: QUALITY }), ...size };
}
