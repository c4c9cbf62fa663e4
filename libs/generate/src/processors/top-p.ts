import type { LogitsProcessor } from '@blip2/interfaces';

import { logSumExp } from '../numeric/softmax.ts';

/**
 * Keeps the fewest best tokens whose probabilities together reach `p`, in [0, 1], and `minTokensToKeep` at least: from
 * the worst up, tokens are dropped while their sum is at most `1 - p`.
 * Of equal scores at the border those with smaller ids go first. Reference: `TopPLogitsWarper` (nucleus sampling,
 * Holtzman et al. 2019).
 */
export function topP(p: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, scores) => {
    const possible = scores.filter((score) => score !== -Infinity).sort();
    const dropped = Math.min(countBelow(possible, 1 - p), possible.length - minTokensToKeep);
    if (dropped <= 0) return;
    const border = possible[dropped - 1]!;
    let equalsToDrop = dropped - possible.indexOf(border);
    for (let id = 0; id < scores.length; id++) {
      const score = scores[id]!;
      if (score < border || (score === border && equalsToDrop-- > 0)) scores[id] = -Infinity;
    }
  };
}

/** How many of the ascending scores have a cumulative probability of at most `mass`. */
function countBelow(ascending: Float32Array, mass: number): number {
  const total = logSumExp(ascending);
  let cumulative = 0;
  let count = 0;
  for (; count < ascending.length; count++) {
    cumulative += Math.exp(ascending[count]! - total);
    if (Math.fround(cumulative) > Math.fround(mass)) break;
  }
  return count;
}
