import type { LogitsProcessor } from '@blip2/interfaces';

import { kthLargest } from '../numeric/kth-largest.ts';
import { softmax } from '../numeric/softmax.ts';

/**
 * Drops tokens less likely than `p`, in [0, 1], times the likeliest, but keeps the best `minTokensToKeep`, of equal
 * ones the smaller ids. Reference: `MinPLogitsWarper` (Nguyen et al. 2024).
 */
export function minP(p: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, scores) => {
    const probabilities = softmax(scores);
    const threshold = Math.fround(kthLargest(probabilities, 1) * Math.fround(p));
    // By score, not by probability: far behind the likeliest all probabilities are 0 in float32 and would be kept
    // together.
    const kept = kthLargest(scores, minTokensToKeep);
    let equalsToKeep = minTokensToKeep;
    for (const score of scores) if (score > kept) equalsToKeep--;
    for (let id = 0; id < scores.length; id++) {
      const isBest = scores[id]! > kept || (scores[id] === kept && equalsToKeep-- > 0);
      if (probabilities[id]! < threshold && !isBest) scores[id] = -Infinity;
    }
  };
}
