import type { AttentionMask, Tensor } from '@blip2/interfaces';
import { MASKED } from '@blip2/onnx';

/**
 * The attention bias of positions that follow `pastLength` others. Each new position attends to the past and to the
 * new positions up to itself, where `mask`, which covers past and new positions, is not 0. Slots `pastLength` to
 * `pastCapacity` are unused.
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
