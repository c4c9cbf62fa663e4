import type { Tensor, TokenIds } from '@blip2/interfaces';

/** Added to a score that must not count. */
const MASKED = -3.4028234663852886e38;

/** A mask over keys as a bias of the scores of every head and query: `[batch, keys] → [batch, 1, 1, keys]`. */
export function maskBias(mask: readonly TokenIds[]): Tensor<'float32', [batch: number, heads: 1, queries: 1, keys: number]> {
  return { type: 'float32', dims: [mask.length, 1, 1, mask[0]?.length ?? 0], data: Float32Array.from(mask.flat(), (counts) => (counts ? 0 : MASKED)) };
}
