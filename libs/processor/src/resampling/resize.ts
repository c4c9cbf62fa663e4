import type { RgbImage } from '@blip2/interfaces';

import { type Coefficients, PRECISION_BITS, resamplingCoefficients } from './coefficients.ts';
import { RESAMPLING_FILTERS, type ResamplingName } from './filters.ts';

const HALF = 1 << (PRECISION_BITS - 1);
const CHANNELS = 3;
/**
 * Images with a larger ratio of height to width are resized vertically first, as in Pillow's `Image.resize`; the order
 * affects rounding.
 */
const MAX_RATIO_HORIZONTAL_FIRST = 100;

/**
 * Resizes an image `[height, width, 3]`, equal to Pillow's `Image.resize` bit for bit.
 *
 * 1. Horizontal pass in fixed point, rounded to 8 bits; skipped if the width is unchanged.
 * 2. Vertical pass, likewise. First for very tall images.
 */
export function resize(image: RgbImage, height: number, width: number, resample: ResamplingName): RgbImage {
  const [sourceHeight, sourceWidth] = image.dims;
  if (height === sourceHeight && width === sourceWidth) return image;
  if (resample === 'nearest') return resizeNearest(image, height, width);
  const filter = RESAMPLING_FILTERS[resample];
  const resizeWidth = (image: RgbImage): RgbImage =>
    width === sourceWidth ? image : horizontalPass(image, width, resamplingCoefficients(sourceWidth, width, filter));
  const resizeHeight = (image: RgbImage): RgbImage =>
    height === sourceHeight ? image : verticalPass(image, height, resamplingCoefficients(sourceHeight, height, filter));
  const verticalFirst = sourceHeight > sourceWidth * MAX_RATIO_HORIZONTAL_FIRST && height < sourceHeight;
  return verticalFirst ? resizeWidth(resizeHeight(image)) : resizeHeight(resizeWidth(image));
}

/*
 * The two loops below dominate: 150 million multiplications for a 12-megapixel photograph. Their indices are in range
 * by construction, so `?? 0` never applies and costs nothing. `Math.imul` and `| 0` keep sums in 32-bit registers without
 * overflow checks: the two bits of headroom of the weights rule out overflow.
 */

function horizontalPass(image: RgbImage, width: number, { taps, first, count, weights }: Coefficients): RgbImage {
  const [height, sourceWidth] = image.dims;
  const source = image.data;
  const data = new Uint8ClampedArray(height * width * CHANNELS);
  let out = 0;
  for (let y = 0; y < height; y++) {
    const row = y * sourceWidth * CHANNELS;
    for (let x = 0; x < width; x++) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let at = (row + (first[x] ?? 0) * CHANNELS) | 0;
      const begin = (x * taps) | 0;
      const end = (begin + (count[x] ?? 0)) | 0;
      for (let k = begin; k < end; k = (k + 1) | 0, at = (at + CHANNELS) | 0) {
        const weight = weights[k] ?? 0;
        red = (red + Math.imul(weight, source[at] ?? 0)) | 0;
        green = (green + Math.imul(weight, source[at + 1] ?? 0)) | 0;
        blue = (blue + Math.imul(weight, source[at + 2] ?? 0)) | 0;
      }
      data[out++] = red >> PRECISION_BITS;
      data[out++] = green >> PRECISION_BITS;
      data[out++] = blue >> PRECISION_BITS;
    }
  }
  return { type: 'uint8', dims: [height, width, CHANNELS], data: toUint8(data) };
}

function verticalPass(image: RgbImage, height: number, { taps, first, count, weights }: Coefficients): RgbImage {
  const [, width] = image.dims;
  const stride = width * CHANNELS;
  const source = image.data;
  const data = new Uint8ClampedArray(height * stride);
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < (count[y] ?? 0); k++) {
      const weight = weights[y * taps + k] ?? 0;
      const row = ((first[y] ?? 0) + k) * stride;
      for (let x = 0; x < stride; x++) sums[x] = ((sums[x] ?? 0) + Math.imul(weight, source[row + x] ?? 0)) | 0;
    }
    const out = y * stride;
    for (let x = 0; x < stride; x++) data[out + x] = (sums[x] ?? 0) >> PRECISION_BITS;
  }
  return { type: 'uint8', dims: [height, width, CHANNELS], data: toUint8(data) };
}

/** Nearest neighbour as in Pillow's affine transform: positions are accumulated, not multiplied, which decides ties. */
function resizeNearest(image: RgbImage, height: number, width: number): RgbImage {
  const [sourceHeight, sourceWidth] = image.dims;
  const rows = nearestPositions(sourceHeight, height);
  const columns = nearestPositions(sourceWidth, width);
  const data = new Uint8Array(height * width * CHANNELS);
  let out = 0;
  for (const row of rows) {
    for (const column of columns) {
      const at = (row * sourceWidth + column) * CHANNELS;
      for (let channel = 0; channel < CHANNELS; channel++) data[out++] = image.data[at + channel] ?? 0;
    }
  }
  return { type: 'uint8', dims: [height, width, CHANNELS], data };
}

function nearestPositions(source: number, target: number): Int32Array {
  const step = source / target;
  let position = step * 0.5;
  return Int32Array.from({ length: target }, () => {
    const floor = Math.trunc(position);
    position += step;
    return floor;
  });
}

const toUint8 = (data: Uint8ClampedArray): Uint8Array => new Uint8Array(data.buffer);
