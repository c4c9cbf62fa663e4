import type { LogitsProcessor } from '@blip2/interfaces';

import { kthLargest } from '../numeric/kth-largest.ts';

/**
 * Keeps the `k` best tokens, `minTokensToKeep` at least, and all that are as good as the last of them. Reference:
 * `TopKLogitsWarper`.
 */
export function topK(k: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, scores) => {
    const threshold = kthLargest(scores, Math.max(k, minTokensToKeep));
    for (let id = 0; id < scores.length; id++) if (scores[id]! < threshold) scores[id] = -Infinity;
  };
}
