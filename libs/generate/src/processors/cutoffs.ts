import type { LogitsProcessor } from '@blip2/interfaces';

import { kthLargest } from '../numeric/kth-largest.ts';
import { logSumExp, softmax } from '../numeric/softmax.ts';
import { entropyOf } from './typical-p.ts';

/**
 * Drops tokens less likely than `epsilon`, a probability in (0, 1), but keeps the best `minTokensToKeep`. Reference:
 * `EpsilonLogitsWarper` (Hewitt et al. 2022).
 */
export function epsilonCutoff(epsilon: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, scores) => dropBelow(scores, epsilon, minTokensToKeep);
}

/**
 * As `epsilonCutoff` with the threshold `min(epsilon, sqrt(epsilon) * exp(-entropy))`. Reference: `EtaLogitsWarper`
 * (Hewitt et al. 2022).
 */
export function etaCutoff(epsilon: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, scores) => {
    const entropy = entropyOf(scores, logSumExp(scores));
    dropBelow(scores, Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy)), minTokensToKeep);
  };
}

function dropBelow(scores: Float32Array, threshold: number, minTokensToKeep: number): void {
  const probabilities = softmax(scores);
  const kept = kthLargest(scores, minTokensToKeep);
  const limit = Math.fround(threshold);
  for (let id = 0; id < scores.length; id++) {
    if (probabilities[id]! < limit && scores[id]! < kept) scores[id] = -Infinity;
  }
}
