import type { ProcessedInputs, RgbImage } from '@blip2/interfaces';

import type { ImageProcessorSettings } from './image-processor-settings.ts';

/** Pixel values of a batch: float32, or uint8 (0-255). */
export type PixelTensor = NonNullable<ProcessedInputs['pixelValues']>;

/** Number of 8-bit pixel values. */
const NUM_VALUES = 256;
const CHANNELS = 3;

/**
 * Stacks images of the same size to `[batch, 3, height, width]`, rescaled and normalised; unchanged uint8 values if
 * both steps are disabled. As a channel has only 256 possible values, the results are looked up in a table.
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
  const tables = [0, 1, 2].map((channel) => valueTable(settings, channel));
  images.forEach((image, index) => fillPlanes(image.data, data, index * CHANNELS * plane, plane, tables));
  return { type: 'float32', dims, data };
}

const IDENTITY: readonly Float32Array[] = Array.from({ length: CHANNELS }, () =>
  Float32Array.from({ length: NUM_VALUES }, (_, value) => value),
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
      target[begin + pixel] = table[source[from] ?? 0] ?? 0;
  });
}

/**
 * The result for each 8-bit value, rounded as in HF: the product in float64, rounded to float32; then difference and
 * quotient in float32.
 */
function valueTable(
  { doRescale, rescaleFactor, doNormalize, imageMean, imageStd }: ImageProcessorSettings,
  channel: number,
): Float32Array {
  const mean = Math.fround(imageMean[channel] ?? 0);
  const std = Math.fround(imageStd[channel] ?? 1);
  return Float32Array.from({ length: NUM_VALUES }, (_, value) => {
    const rescaled = doRescale ? Math.fround(value * rescaleFactor) : value;
    return doNormalize ? Math.fround(Math.fround(rescaled - mean) / std) : rescaled;
  });
}
