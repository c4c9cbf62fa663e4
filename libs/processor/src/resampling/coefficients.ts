import type { ResamplingFilter } from './filters.ts';

/**
 * Fractional bits of fixed-point weights: 32 minus 8 bits of a pixel value and 2 of headroom (Pillow's
 * `PRECISION_BITS`).
 */
export const PRECISION_BITS = 22;

/** Source pixels and weights of each target pixel along one axis. */
export interface Coefficients {
  /** Number of weights per target pixel. */
  readonly taps: number;
  /** First source pixel of each target pixel. */
  readonly first: Int32Array;
  /** Number of source pixels of each target pixel. */
  readonly count: Int32Array;
  /** Fixed-point weights, `taps` per target pixel. */
  readonly weights: Int32Array;
}

/**
 * Computes the weights of one pass. When shrinking, the filter is widened by the scale; at the edges it is cut off and
 * renormalised; then weights are rounded half away from zero. Source: Pillow, `precompute_coeffs` and
 * `normalize_coeffs_8bpc`.
 */
export function resamplingCoefficients(source: number, target: number, filter: ResamplingFilter): Coefficients {
  const scale = source / target;
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const inverse = 1 / filterScale;
  const taps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(target);
  const count = new Int32Array(target);
  const weights = new Int32Array(target * taps);
  const row = new Float64Array(taps);
  for (let i = 0; i < target; i++) {
    const center = (i + 0.5) * scale;
    const begin = Math.max(Math.trunc(center - support + 0.5), 0);
    const length = Math.min(Math.trunc(center + support + 0.5), source) - begin;
    let sum = 0;
    for (let j = 0; j < length; j++) {
      const weight = filter.weight((j + begin - center + 0.5) * inverse);
      row[j] = weight;
      sum += weight;
    }
    for (let j = 0; j < length; j++)
      weights[i * taps + j] = toFixedPoint(sum === 0 ? (row[j] ?? 0) : (row[j] ?? 0) / sum);
    first[i] = begin;
    count[i] = length;
  }
  return { taps, first, count, weights };
}

function toFixedPoint(weight: number): number {
  const scaled = weight * 2 ** PRECISION_BITS;
  return Math.trunc(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}
