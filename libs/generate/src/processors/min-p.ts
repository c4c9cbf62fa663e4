import type { LogitsProcessor } from '@blip2/interfaces';
import { kthLargest } from '../numeric/kth-largest.ts';
import { softmax } from '../numeric/softmax.ts';

/** Drops tokens less likely than `p` times the likeliest, but keeps the best `minTokensToKeep`. Reference: `MinPLogitsWarper`. */
export function minP(p: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, scores) => {
    const probabilities = softmax(scores);
    const threshold = Math.fround(kthLargest(probabilities, 1) * Math.fround(p));
    const kept = kthLargest(probabilities, minTokensToKeep);
    for (let id = 0; id < scores.length; id++) {
      const probability = probabilities[id]!;
      if (probability < threshold && probability < kept) scores[id] = -Infinity;
    }
  };
}
