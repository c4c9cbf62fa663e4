import type { RgbImage } from '@blip2/interfaces';

import { type Coefficients, PRECISION_BITS, resamplingCoefficients } from './coefficients.ts';
import { RESAMPLING_FILTERS, type ResamplingName } from './filters.ts';

const HALF = 1 << (PRECISION_BITS - 1);
const CHANNELS = 3;
/**
 * Images more than this many times as tall as wide are shortened first (Pillow's `Image.resize`), which changes their
 * roundings.
 */
const TALL = 100;

/**
 * Resizes an image to exactly `height` x `width` pixels, bit for bit as Pillow's `Image.resize` does: a horizontal,
 * then
 * a vertical pass (the other way round for images of extreme height) in fixed point, each rounded to whole levels; a
 * pass over an unchanged axis is left out. `[height, width, 3]`.
 */
export function resize(image: RgbImage, height: number, width: number, resample: ResamplingName): RgbImage {
  const [sourceHeight, sourceWidth] = image.dims;
  if (height === sourceHeight && width === sourceWidth) return image;
  if (resample === 'nearest') return resizeNearest(image, height, width);
  const filter = RESAMPLING_FILTERS[resample];
  const narrow = (image: RgbImage): RgbImage =>
    width === sourceWidth ? image : horizontalPass(image, width, resamplingCoefficients(sourceWidth, width, filter));
  const shorten = (image: RgbImage): RgbImage =>
    height === sourceHeight ? image : verticalPass(image, height, resamplingCoefficients(sourceHeight, height, filter));
  const verticalFirst = sourceHeight > sourceWidth * TALL && height < sourceHeight;
  return verticalFirst ? narrow(shorten(image)) : shorten(narrow(image));
}

/*
 * The two loops below are the hot ones: 150 million products for a photograph of 12 megapixels. Their indices are in
 * range by construction. `Math.imul` and
 * `| 0` keep sums in 32-bit registers, without checks for overflow: weights have two bits of headroom, so none comes.
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
      let at = (row + first[x]! * CHANNELS) | 0;
      const begin = (x * taps) | 0;
      const end = (begin + count[x]!) | 0;
      for (let k = begin; k < end; k = (k + 1) | 0, at = (at + CHANNELS) | 0) {
        const weight = weights[k]! | 0;
        red = (red + Math.imul(weight, source[at]!)) | 0;
        green = (green + Math.imul(weight, source[at + 1]!)) | 0;
        blue = (blue + Math.imul(weight, source[at + 2]!)) | 0;
      }
      data[out++] = red >> PRECISION_BITS;
      data[out++] = green >> PRECISION_BITS;
      data[out++] = blue >> PRECISION_BITS;
    }
  }
  return { type: 'uint8', dims: [height, width, CHANNELS], data: levels(data) };
}

function verticalPass(image: RgbImage, height: number, { taps, first, count, weights }: Coefficients): RgbImage {
  const [, width] = image.dims;
  const stride = width * CHANNELS;
  const source = image.data;
  const data = new Uint8ClampedArray(height * stride);
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < count[y]!; k++) {
      const weight = weights[y * taps + k]! | 0;
      const row = (first[y]! + k) * stride;
      for (let x = 0; x < stride; x++) sums[x] = (sums[x]! + Math.imul(weight, source[row + x]!)) | 0;
    }
    const out = y * stride;
    for (let x = 0; x < stride; x++) data[out + x] = sums[x]! >> PRECISION_BITS;
  }
  return { type: 'uint8', dims: [height, width, CHANNELS], data: levels(data) };
}

/** Pillow's affine nearest neighbour: positions are accumulated, not multiplied, which decides ties. */
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

const levels = (data: Uint8ClampedArray): Uint8Array => new Uint8Array(data.buffer);
