import type { PlannedWeight, StoredTensor } from '@blip2/interfaces';

import type { PreparedChange } from '../adapters/changed-rows.ts';
import { changeTensors, type WeightChange } from '../adapters/weight-change.ts';

/** Conversion of one tensor of a checkpoint. */
export interface Conversion extends PlannedWeight {
  /** The tensor to convert. */
  readonly source: StoredTensor;
  /** Factors that the columns of a matrix, or the elements of a vector, are multiplied with. */
  readonly factors?: Float32Array;
  /** Changes that adapters make to the tensor. */
  readonly changes?: readonly WeightChange[];
  /** The changes with what is known about the whole tensor. */
  readonly prepared?: readonly PreparedChange[];
  /** The tensors of the base that the factors of the fold are computed from, of a part with adapters. */
  readonly foldSources?: readonly StoredTensor[];
}

/** All stored tensors that a conversion depends on, its own source first. */
export function conversionSources({ source, changes = [], foldSources = [] }: Conversion): readonly StoredTensor[] {
  return [source, ...changes.flatMap(changeTensors), ...foldSources];
}

/** Number of weights along `in` that share a scale. Longer blocks are faster to read. */
const LONG_BLOCK = 128;
/** Used if `in` is not a multiple of the long block: wastes less of the last block. */
const SHORT_BLOCK = 32;

/** Block size for rows of length `inner`. */
export function blockSizeFor(inner: number): number {
  return inner % LONG_BLOCK === 0 ? LONG_BLOCK : SHORT_BLOCK;
}

/** Name of a weight's values in a converted file. */
export function valuesName({ name, precision }: PlannedWeight): string {
  return precision === 'fp32' ? name : `${name}.${precision}`;
}
/** Name of a weight's scales in a converted file. */
export function scalesName(weight: PlannedWeight): string {
  return `${valuesName(weight)}.scales`;
}
