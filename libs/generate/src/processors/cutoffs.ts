import type { LogitsProcessor } from '@blip2/interfaces';

import { kthLargest } from '../numeric/kth-largest.ts';
import { logSumExp, softmax } from '../numeric/softmax.ts';
import { entropyOf } from './typical-p.ts';

/**
 * Drops tokens with a probability below `epsilon`, in (0, 1), but keeps at least the `minTokensToKeep` most likely
 * ones. Source: HF `EpsilonLogitsWarper` (Hewitt et al. 2022).
 *
 * ```ts
 * const logits = Float32Array.of(3, 0, 2);
 * epsilonCutoff(0.1)([], logits);
 * logits; // [3, -Infinity, 2]
 * ```
 */
export function epsilonCutoff(epsilon: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, logits) => dropBelow(logits, epsilon, minTokensToKeep);
}

/**
 * Drops tokens like `epsilonCutoff`, with the threshold `min(epsilon, sqrt(epsilon) * exp(-entropy))`: lower where the
 * model is less certain. Source: HF `EtaLogitsWarper` (Hewitt et al. 2022).
 *
 * ```ts
 * const logits = Float32Array.of(3, 0, 2);
 * etaCutoff(0.1)([], logits);
 * logits; // [3, -Infinity, 2]
 * ```
 */
export function etaCutoff(epsilon: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, logits) => {
    const entropy = entropyOf(logits, logSumExp(logits));
    dropBelow(logits, Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy)), minTokensToKeep);
  };
}

function dropBelow(logits: Float32Array, threshold: number, minTokensToKeep: number): void {
  const probabilities = softmax(logits);
  const kept = kthLargest(logits, minTokensToKeep);
  const limit = Math.fround(threshold);
  for (let id = 0; id < logits.length; id++) {
    if ((probabilities[id] ?? 0) < limit && (logits[id] ?? 0) < kept) logits[id] = -Infinity;
  }
}
