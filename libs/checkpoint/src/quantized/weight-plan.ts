import type { PlannedWeight, StoredTensor } from '@blip2/interfaces';

/** What becomes of one tensor of a checkpoint. */
export interface Conversion extends PlannedWeight {
  readonly source: StoredTensor;
  /** Of each column of a matrix, or each number of a vector: what it is multiplied with. */
  readonly factors?: Float32Array;
}

/**
 * Weights along `in` that share a scale. Longer blocks are read faster; where the width is no multiple, shorter ones
 * waste less of the last.
 */
const LONG_BLOCK = 128;
const SHORT_BLOCK = 32;

export function blockSizeFor(inner: number): number {
  return inner % LONG_BLOCK === 0 ? LONG_BLOCK : SHORT_BLOCK;
}

/** The names in a converted file, by the checkpoint's. */
export function valuesName({ name, precision }: PlannedWeight): string {
  return precision === 'fp32' ? name : `${name}.${precision}`;
}
export function scalesName(weight: PlannedWeight): string {
  return `${valuesName(weight)}.scales`;
}
