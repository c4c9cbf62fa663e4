import { Blip2Error, type ProcessedInputs, type RgbImage } from '@blip2/interfaces';

import type { ImageProcessorSettings } from './image-processor-settings.ts';

/** Pixel values of a batch: float32, or uint8 (0-255). */
export type PixelTensor = NonNullable<ProcessedInputs['pixelValues']>;

/** Number of 8-bit pixel values. */
const NUM_VALUES = 256;
const CHANNELS = 3;

/** Maximum number of values per batch: 4 GiB of float32, well below what a typed array can hold. */
const MAX_BATCH_VALUES: number = 2 ** 30;

/** The pixel values of a batch, filled image by image in any order. */
export interface PixelBatch {
  /** Sets the image at an index, so that it need not be kept. */
  set(index: number, image: RgbImage): void;
  /**
   * The pixel values `[batch, 3, height, width]`.
   * @throws Blip2Error `SHAPE_MISMATCH` if the images differ in size; `IMAGE_TOO_LARGE` for more than 4 GiB.
   */
  finish(): PixelTensor;
}

/**
 * Creates a batch of images of the same size, rescaled and normalised; unchanged uint8 values if both steps are
 * disabled. As a channel has only 256 possible values, the results are looked up in a table.
 */
export function createPixelBatch(count: number, settings: ImageProcessorSettings): PixelBatch {
  const isRaw = !settings.doRescale && !settings.doNormalize;
  const tables = isRaw ? IDENTITY : [0, 1, 2].map((channel) => valueTable(settings, channel));
  const sizes: RgbImage['dims'][] = [];
  let tensor: PixelTensor | undefined;
  return {
    set(index, { dims, data }) {
      sizes[index] = dims;
      const [height, width] = dims;
      const plane = height * width;
      const length = count * CHANNELS * plane;
      if (length <= MAX_BATCH_VALUES) tensor ??= allocate([count, CHANNELS, height, width], length, isRaw);
      const isFitting = tensor?.dims[2] === height && tensor.dims[3] === width;
      if (tensor && isFitting) fillPlanes(data, tensor.data, index * CHANNELS * plane, plane, tables);
    },
    finish() {
      checkOneSize(sizes);
      return tensor ?? allocate([0, CHANNELS, 0, 0], 0, isRaw);
    },
  };
}

function allocate(dims: PixelTensor['dims'], length: number, isRaw: boolean): PixelTensor {
  return isRaw
    ? { type: 'uint8', dims, data: new Uint8Array(length) }
    : { type: 'float32', dims, data: new Float32Array(length) };
}

function checkOneSize(sizes: readonly (readonly number[])[]): void {
  const [first = []] = sizes;
  const other = sizes.find((size) => size[0] !== first[0] || size[1] !== first[1]);
  if (other) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The images of a batch must have the same size', {
      expected: `${first[0]} x ${first[1]}`,
      got: `${other[0]} x ${other[1]}`,
      fix: 'Set doResize with height and width, crop the images, or process them one by one',
    });
  }
  const values = sizes.length * first.reduce((product, side) => product * side, 1);
  if (values > MAX_BATCH_VALUES) {
    throw new Blip2Error('IMAGE_TOO_LARGE', 'The batch is too large', {
      expected: `at most ${MAX_BATCH_VALUES} values`,
      got: String(values),
      fix: 'Process fewer or smaller images at a time',
    });
  }
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
