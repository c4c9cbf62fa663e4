import type { StoredTensor, StoredType } from '@blip2/interfaces';

import { fromFloat32 } from '../safetensors/float-conversion.ts';
import { readFloats } from '../safetensors/read-floats.ts';
import { ELEMENT_BYTES, isFloatType } from '../safetensors/stored-type.ts';
import { convertedSource, storedTensorSource, type TensorSource } from '../safetensors/tensor-source.ts';
import { addChanges, prepareChange } from './changed-rows.ts';
import type { WeightChange } from './weight-change.ts';

/** Number of weights that are merged at a time. */
const WEIGHTS_PER_CHUNK = 2 ** 18;

/** What a merged tensor is written as. */
export interface MergedTensor {
  readonly name: string;
  readonly dtype: StoredType;
  readonly changes: readonly WeightChange[];
}

/** A tensor with the changes of adapters. Merged while it is written. */
export function mergedTensorSource(stored: StoredTensor, { name, dtype, changes }: MergedTensor): TensorSource {
  const { shape } = stored;
  if (!isFloatType(dtype)) return storedTensorSource(stored, name);
  if (changes.length === 0) return convertedSource(storedTensorSource(stored, name), dtype);
  const [rows = 1] = shape;
  const inner = shape.slice(1).reduce((product, axis) => product * axis, 1);
  const step = Math.max(1, Math.floor(WEIGHTS_PER_CHUNK / inner));
  const readRows = (begin: number, end: number): Float32Array =>
    readFloats(stored, { first: begin * inner, count: (end - begin) * inner });
  return {
    name,
    dtype,
    shape,
    async *chunks(signal) {
      const layout = { rows, inner, transposed: false };
      const prepared = changes.map((change) => prepareChange(change, layout, readRows, step));
      for (let begin = 0; begin < rows; begin += step) {
        signal?.throwIfAborted();
        const end = Math.min(begin + step, rows);
        const weights = readRows(begin, end);
        addChanges(weights, prepared, { ...layout, begin, end });
        const bytes = new Uint8Array(weights.length * ELEMENT_BYTES[dtype]);
        fromFloat32(weights, dtype, bytes);
        yield bytes;
      }
    },
  };
}
