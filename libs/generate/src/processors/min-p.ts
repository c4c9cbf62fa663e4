import type { LogitsProcessor } from '@blip2/interfaces';

import { kthLargest } from '../numeric/kth-largest.ts';
import { softmax } from '../numeric/softmax.ts';

/**
 * Drops tokens less likely than `p`, in [0, 1], times the most likely one, but keeps at least `minTokensToKeep`; of
 * equally likely ones, those with smaller ids. Source: HF `MinPLogitsWarper` (Nguyen et al. 2024).
 *
 * ```ts
 * const logits = Float32Array.of(3, 0, 2);
 * minP(0.1)([], logits);
 * logits; // [3, -Infinity, 2]
 * ```
 */
export function minP(p: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, logits) => {
    const probabilities = softmax(logits);
    const threshold = Math.fround(kthLargest(probabilities, 1) * Math.fround(p));
    // Compares logits, not probabilities: probabilities that underflow to 0 in float32 would be equal.
    const kept = kthLargest(logits, minTokensToKeep);
    let equalsToKeep = minTokensToKeep;
    for (const logit of logits) if (logit > kept) equalsToKeep--;
    for (let id = 0; id < logits.length; id++) {
      const logit = logits[id] ?? 0;
      const isBest = logit > kept || (logit === kept && equalsToKeep-- > 0);
      if ((probabilities[id] ?? 0) < threshold && !isBest) logits[id] = -Infinity;
    }
  };
}
