import type { RgbImage } from '@blip2/interfaces';

/**
 * Converts RGBA values with premultiplied colours to RGB, like Pillow: divided by alpha and rounded down, at most 255,
 * and black where alpha is 0.
 */
export function unpremultiply(
  data: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
): RgbImage {
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    const alpha = data[from + 3] ?? 0;
    for (let channel = 0; channel < 3; channel++) {
      const value = data[from + channel] ?? 0;
      rgb[to + channel] = alpha === 0 ? 0 : Math.min(255, Math.trunc((value * 255) / alpha));
    }
  }
  return { type: 'uint8', dims: [height, width, 3], data: rgb };
}
