import type { AttentionMask, Tensor } from '@blip2/interfaces';
import { MASKED } from '@blip2/onnx';

/**
 * The bias for positions that follow `pastLength` others: each new position sees the past and the new ones up to
 * itself, as far as `mask` allows.
 * Slots `pastLength` to `pastCapacity` hold nothing. `mask` covers past and new positions.
 */
export function causalBias(
  mask: AttentionMask,
  pastLength: number,
  pastCapacity: number,
  sequence: number,
): Tensor<'float32', [rows: number, one: 1, sequence: number, total: number]> {
  const total = pastCapacity + sequence;
  const data = new Float32Array(mask.length * sequence * total).fill(MASKED);
  for (const [row, allowed] of mask.entries()) {
    for (let position = 0; position < sequence; position++) {
      const start = (row * sequence + position) * total;
      for (let key = 0; key < pastLength; key++) if (allowed[key]) data[start + key] = 0;
      for (let key = 0; key <= position; key++) if (allowed[pastLength + key]) data[start + pastCapacity + key] = 0;
    }
  }
  return { type: 'float32', dims: [mask.length, 1, sequence, total], data };
}
