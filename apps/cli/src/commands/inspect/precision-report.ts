import { isTokenEmbedding, type PlannedFile } from '@blip2/blip2';
import { plannedBytes } from '@blip2/checkpoint';
import type { PlannedWeight, StoredTensor, WeightStore } from '@blip2/interfaces';

import type { Precision, PrecisionSize } from './checkpoint-report.ts';

export const PRECISIONS: readonly Precision[] = ['fp32', 'int8', 'q8', 'q4', 'fast', 'small'];

export type PrecisionSizes = Readonly<Record<Precision, PrecisionSize>>;

/** Computes a value for each precision. */
export function byPrecision<T>(of: (precision: Precision) => T): Readonly<Record<Precision, T>> {
  return { fp32: of('fp32'), int8: of('int8'), q8: of('q8'), q4: of('q4'), fast: of('fast'), small: of('small') };
}

const FLOAT32_BYTES = 4;

/**
 * Computes the size of a checkpoint in a precision: the converted files that are planned for it, and the remaining
 * tensors.
 */
export function precisionSize(
  files: readonly PlannedFile[],
  { folder }: WeightStore,
  own: readonly StoredTensor[],
): PrecisionSize {
  const planned = new Set(files.flatMap(({ weights }) => weights.map(({ name }) => name)));
  // Token embeddings are read row by row from the checkpoint, even if a tied head is converted.
  const rest = own.filter(({ name }) => !planned.has(name) || isTokenEmbedding(name));
  const convertedBytes = files.reduce((sum, { weights }) => sum + plannedBytes(weights, folder), 0);
  const restBytes = rest.reduce((sum, tensor) => sum + float32Bytes(tensor), 0);
  const widened = rest.filter(({ dtype }) => dtype !== 'F32').reduce((sum, tensor) => sum + float32Bytes(tensor), 0);
  // Integer weights are prepacked into a copy on the heap when their graph is loaded.
  const packed = files.reduce((sum, { weights }) => sum + plannedBytes(weights.filter(isInteger), folder), 0);
  return {
    bytes: convertedBytes + restBytes,
    convertedBytes,
    heapBytes: Math.min(convertedBytes + restBytes, packed + widened),
  };
}

function isInteger({ precision }: PlannedWeight): boolean {
  return precision !== 'fp32';
}

function float32Bytes({ shape }: StoredTensor): number {
  return shape.reduce((product, length) => product * length, FLOAT32_BYTES);
}
