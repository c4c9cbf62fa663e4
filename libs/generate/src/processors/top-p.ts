import type { LogitsProcessor } from '@blip2/interfaces';

import { logSumExp } from '../numeric/softmax.ts';

/**
 * Keeps the smallest set of most likely tokens whose probabilities sum to at least `p`, in [0, 1], and at least
 * `minTokensToKeep`: in ascending order, tokens are dropped while their cumulative probability is at most `1 - p`. Of
 * equal logits at the border, those with smaller ids are dropped first. Source: HF `TopPLogitsWarper` (nucleus
 * sampling, Holtzman et al. 2019).
 *
 * ```ts
 * const logits = Float32Array.of(3, 0, 2);
 * topP(0.9)([], logits);
 * logits; // [3, -Infinity, 2]
 * ```
 */
export function topP(p: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, logits) => {
    const possible = logits.filter((logit) => logit !== -Infinity).sort();
    const dropped = Math.min(countBelow(possible, 1 - p), possible.length - minTokensToKeep);
    if (dropped <= 0) return;
    const border = possible[dropped - 1] ?? 0;
    let equalsToDrop = dropped - possible.indexOf(border);
    for (let id = 0; id < logits.length; id++) {
      const logit = logits[id] ?? 0;
      if (logit < border || (logit === border && equalsToDrop-- > 0)) logits[id] = -Infinity;
    }
  };
}

/** Number of the ascending logits whose cumulative probability is at most `mass`. */
function countBelow(ascending: Float32Array, mass: number): number {
  const total = logSumExp(ascending);
  let cumulative = 0;
  let count = 0;
  for (; count < ascending.length; count++) {
    cumulative += Math.exp((ascending[count] ?? 0) - total);
    if (Math.fround(cumulative) > Math.fround(mass)) break;
  }
  return count;
}
