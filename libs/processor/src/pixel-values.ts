import type { ProcessedInputs, RgbImage } from '@blip2/interfaces';

import type { ImageProcessorSettings } from './image-processor-settings.ts';

export type PixelTensor = NonNullable<ProcessedInputs['pixelValues']>;

const LEVELS = 256;
const CHANNELS = 3;

/**
 * Stacks resized images of one size as `[batch, 3, height, width]`: float32, or the levels themselves if neither
 * rescaled nor
 * normalised. Only 256 levels exist per channel, so each value is looked up in a table made once.
 */
export function toPixelValues(images: readonly RgbImage[], settings: ImageProcessorSettings): PixelTensor {
  const [height, width] = images[0]?.dims ?? [0, 0];
  const plane = height * width;
  const dims: [number, number, number, number] = [images.length, CHANNELS, height, width];
  const length = images.length * CHANNELS * plane;
  if (!settings.doRescale && !settings.doNormalize) {
    const data = new Uint8Array(length);
    images.forEach((image, index) => fillPlanes(image.data, data, index * CHANNELS * plane, plane, IDENTITY));
    return { type: 'uint8', dims, data };
  }
  const data = new Float32Array(length);
  const tables = [0, 1, 2].map((channel) => levelTable(settings, channel));
  images.forEach((image, index) => fillPlanes(image.data, data, index * CHANNELS * plane, plane, tables));
  return { type: 'float32', dims, data };
}

const IDENTITY: readonly Float32Array[] = Array.from({ length: CHANNELS }, () =>
  Float32Array.from({ length: LEVELS }, (_, level) => level),
);

function fillPlanes(
  source: Uint8Array,
  target: Uint8Array | Float32Array,
  offset: number,
  plane: number,
  tables: readonly Float32Array[],
): void {
  tables.forEach((table, channel) => {
    const begin = offset + channel * plane;
    for (let pixel = 0, from = channel; pixel < plane; pixel++, from += CHANNELS)
      target[begin + pixel] = table[source[from]!]!;
  });
}

/**
 * The reference's order of roundings: the product in float64, rounded to float32; then difference and quotient in
 * float32.
 */
function levelTable(
  { doRescale, rescaleFactor, doNormalize, imageMean, imageStd }: ImageProcessorSettings,
  channel: number,
): Float32Array {
  const mean = Math.fround(imageMean[channel] ?? 0);
  const std = Math.fround(imageStd[channel] ?? 1);
  return Float32Array.from({ length: LEVELS }, (_, level) => {
    const value = doRescale ? Math.fround(level * rescaleFactor) : level;
    return doNormalize ? Math.fround(Math.fround(value - mean) / std) : value;
  });
}
