import type { AttentionMask, Tensor } from '@blip2/interfaces';
import { MASKED } from '@blip2/onnx';

/** The attention bias that masks padding for `queries` positions. `mask` covers the keys. */
export function paddingBias<const Queries extends number>(
  mask: AttentionMask,
  queries: Queries,
): Tensor<'float32', [rows: number, one: 1, queries: Queries, keys: number]> {
  const keys = mask[0]?.length ?? 0;
  const data = new Float32Array(mask.length * queries * keys);
  for (const [row, allowed] of mask.entries()) {
    for (let query = 0; query < queries; query++) {
      for (let key = 0; key < keys; key++) if (!allowed[key]) data[(row * queries + query) * keys + key] = MASKED;
    }
  }
  return { type: 'float32', dims: [mask.length, 1, queries, keys], data };
}
