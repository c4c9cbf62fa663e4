import type { RgbImage } from '@blip2/interfaces';

/** RGB values `[height, width, 3]` that are not rounded to 8 bits. */
export interface FloatImage {
  readonly height: number;
  readonly width: number;
  readonly data: Float64Array;
}

const CHANNELS = 3;
/** Coefficient of the cubic convolution (Keys), as in Pillow. */
const A = -0.5;
const SUPPORT = 2;
const MAX_VALUE = 255;

function cubic(signed: number): number {
  const x = Math.abs(signed);
  if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
  return x < SUPPORT ? (((x - 5) * x + 8) * x - 4) * A : 0;
}

/**
 * Bicubic resize in floating point: first along rows, then along columns. Without antialiasing the filter is not
 * widened when shrinking.
 */
export function floatBicubic(rgb: RgbImage, height: number, width: number, antialias: boolean): FloatImage {
  const [rows, columns] = rgb.dims;
  const wide = resizeAxis(Float64Array.from(rgb.data), rows, columns, CHANNELS, width, antialias);
  return { height, width, data: resizeAxis(wide, 1, rows, width * CHANNELS, height, antialias) };
}

/** `[outer, source, inner]` → `[outer, target, inner]`. */
function resizeAxis(
  data: Float64Array,
  outer: number,
  source: number,
  inner: number,
  target: number,
  antialias: boolean,
): Float64Array {
  const scale = source / target;
  const widening = antialias ? Math.max(scale, 1) : 1;
  const resized = new Float64Array(outer * target * inner);
  for (let t = 0; t < target; t++) {
    const center = (t + 0.5) * scale;
    const begin = Math.max(Math.trunc(center - SUPPORT * widening + 0.5), 0);
    const end = Math.min(Math.trunc(center + SUPPORT * widening + 0.5), source);
    const weights = Array.from({ length: end - begin }, (_, tap) => cubic((begin + tap + 0.5 - center) / widening));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const mixed = weights.reduce(
          (total, weight, tap) => total + weight * (data[(o * source + begin + tap) * inner + i] ?? 0),
          0,
        );
        resized[(o * target + t) * inner + i] = mixed / sum;
      }
    }
  }
  return resized;
}

/** Rounds to 8-bit pixel values. */
export function roundToBytes({ height, width, data }: FloatImage): RgbImage {
  return {
    type: 'uint8',
    dims: [height, width, CHANNELS],
    data: Uint8Array.from(data, (value) => Math.min(Math.max(Math.round(value), 0), MAX_VALUE)),
  };
}
