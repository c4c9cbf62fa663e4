import { endianness } from 'node:os';

import type { RgbImage } from '@blip2/interfaces';

/**
 * Converts 8-bit CMYK to RGB like Pillow: `(255 - ink) * (255 - black) / 255` per channel, rounded by its `MULDIV255`.
 * Channels after the fourth (alpha, spot colours) are dropped.
 */
export function cmykToRgb(
  data: Uint8Array,
  { width, height, channels }: { readonly width: number; readonly height: number; readonly channels: number },
): RgbImage {
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    const white = 255 - (data[from + 3] ?? 0);
    for (let ink = 0; ink < 3; ink++) {
      const product = (255 - (data[from + ink] ?? 0)) * white + 128;
      rgb[to + ink] = ((product >> 8) + product) >> 8;
    }
  }
  return { type: 'uint8', dims: [height, width, 3], data: rgb };
}

/** Converts 16-bit values in the byte order of the machine to 8 bits, like Pillow: only the high byte is kept. */
export function highBytes(data: Uint8Array): Uint8Array {
  const high = endianness() === 'LE' ? 1 : 0;
  const values = new Uint8Array(data.length / 2);
  for (let index = 0; index < values.length; index++) values[index] = data[index * 2 + high] ?? 0;
  return values;
}
