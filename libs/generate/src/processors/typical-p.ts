import type { LogitsProcessor } from '@blip2/interfaces';

import { logSumExp } from '../numeric/softmax.ts';
import { ascendingOrder } from '../numeric/sort-order.ts';

/**
 * Keeps the tokens whose surprise is nearest to the entropy, until their probabilities reach `mass`, in (0, 1], and
 * `minTokensToKeep` at least.
 * Reference: `TypicalLogitsWarper` (locally typical sampling, Meister et al. 2022).
 */
export function typicalP(mass: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, scores) => {
    const total = logSumExp(scores);
    const entropy = Math.fround(entropyOf(scores, total));
    const distances = scores.map((score) => Math.abs(total - score - entropy));
    const order = ascendingOrder(distances);
    const border = distances[order[Math.min(countBelow(scores, order, total, mass), order.length - 1)]!]!;
    for (const [rank, id] of order.entries()) {
      if (rank >= minTokensToKeep && distances[id]! > border) scores[id] = -Infinity;
    }
  };
}

/** Entropy in nats of the distribution that the scores describe; `total` is their `logSumExp`. */
export function entropyOf(scores: Float32Array, total: number): number {
  let entropy = 0;
  for (let id = 0; id < scores.length; id++) {
    const logProbability = scores[id]! - total;
    if (logProbability !== -Infinity) entropy -= Math.exp(logProbability) * logProbability;
  }
  return entropy;
}

function countBelow(scores: Float32Array, order: Uint32Array, total: number, mass: number): number {
  let cumulative = 0;
  let count = 0;
  for (; count < order.length; count++) {
    cumulative += Math.exp(scores[order[count]!]! - total);
    if (Math.fround(cumulative) >= Math.fround(mass)) break;
  }
  return count;
}
