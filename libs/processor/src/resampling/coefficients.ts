import type { ResamplingFilter } from './filters.ts';

/** Bits after the point of a fixed-point weight: 32 less 8 of a level and 2 of headroom (Pillow's `PRECISION_BITS`). */
export const PRECISION_BITS = 22;

/** Which source pixels make each target pixel along one axis, and with which weights. */
export interface Coefficients {
  /** Weights per target pixel. */
  readonly taps: number;
  /** First source pixel of each target pixel. */
  readonly first: Int32Array;
  /** How many source pixels each target pixel reads. */
  readonly count: Int32Array;
  /** Fixed-point weights, `taps` per target pixel. */
  readonly weights: Int32Array;
}

/**
 * The weights of one pass (Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc`): the filter is widened by the
 * scale when shrinking, cut at the edges and renormalised there, then rounded half away from zero.
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
