import type { LogitsProcessor } from '@blip2/interfaces';

import { kthLargest } from '../numeric/kth-largest.ts';

/**
 * Keeps the `k` most likely tokens, at least `minTokensToKeep`, and all that are equal to the last of them. Source: HF
 * `TopKLogitsWarper`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * topK(2)([], logits);
 * logits; // [3, -Infinity, 2]
 * ```
 */
export function topK(k: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, logits) => {
    const threshold = kthLargest(logits, Math.max(k, minTokensToKeep));
    for (let id = 0; id < logits.length; id++) if ((logits[id] ?? 0) < threshold) logits[id] = -Infinity;
  };
}
