import type { Tensor } from '@blip2/interfaces';

import type { MutableTensors } from './mutation.ts';

/** The tensors whose names match. */
export function tensorsNamed(tensors: MutableTensors, pattern: RegExp): readonly [string, Tensor<'float32'>][] {
  return [...tensors].filter(([name]) => pattern.test(name));
}

/** Multiplies the elements from `start` to `end` of all tensors that match; by default all elements. */
export function scaleTensors(tensors: MutableTensors, pattern: RegExp, factor: number, share = 1): void {
  for (const [, { data }] of tensorsNamed(tensors, pattern))
    data.subarray(0, data.length * share).forEach((value, index) => (data[index] = value * factor));
}

/** Exchanges the tensors of two layers: `a` in a name for `b` and the other way. */
export function swapTensors(tensors: MutableTensors, a: string, b: string): void {
  for (const [name, tensor] of tensorsNamed(tensors, new RegExp(`\\b${a}\\b`))) {
    const other = name.replace(a, b);
    const given = tensors.get(other);
    if (!given) continue;
    tensors.set(name, given);
    tensors.set(other, tensor);
  }
}

/** Rotates the rows of a table: row `i` becomes row `i + by`, and the last rows wrap around. */
export function rollRows(tensor: Tensor<'float32'>, rows: number, by: number): Tensor<'float32'> {
  const width = tensor.data.length / rows;
  const row = (index: number): Float32Array => tensor.data.slice(index * width, (index + 1) * width);
  const data = new Float32Array(tensor.data.length);
  for (let index = 0; index < rows; index++) data.set(row((index - by + rows) % rows), index * width);
  return { ...tensor, data };
}
