import type { LogitsProcessor } from '@blip2/interfaces';

import { logSumExp } from '../numeric/softmax.ts';
import { ascendingOrder } from '../numeric/sort-order.ts';

/**
 * Keeps the tokens whose information content is closest to the entropy until their probabilities sum to `mass`, in (0,
 * 1], and at least `minTokensToKeep`. Source: HF `TypicalLogitsWarper` (locally typical sampling, Meister et al. 2022).
 *
 * ```ts
 * const logits = Float32Array.of(3, 0, 2);
 * typicalP(0.5)([], logits);
 * logits; // [3, -Infinity, -Infinity]
 * ```
 */
export function typicalP(mass: number, minTokensToKeep = 1): LogitsProcessor {
  return (_ids, logits) => {
    const total = logSumExp(logits);
    const entropy = Math.fround(entropyOf(logits, total));
    const distances = logits.map((logit) => Math.abs(total - logit - entropy));
    const order = ascendingOrder(distances);
    const last = order[Math.min(countBelow(logits, order, total, mass), order.length - 1)] ?? 0;
    const border = distances[last] ?? 0;
    for (const [rank, id] of order.entries()) {
      if (rank >= minTokensToKeep && (distances[id] ?? 0) > border) logits[id] = -Infinity;
    }
  };
}

/** Entropy of the distribution in nats; `total` is the `logSumExp` of the logits. */
export function entropyOf(logits: Float32Array, total: number): number {
  let entropy = 0;
  for (let id = 0; id < logits.length; id++) {
    const logProbability = (logits[id] ?? 0) - total;
    if (logProbability !== -Infinity) entropy -= Math.exp(logProbability) * logProbability;
  }
  return entropy;
}

/** Number of leading tokens of `order` whose cumulative probability is below `mass`. */
function countBelow(logits: Float32Array, order: Uint32Array, total: number, mass: number): number {
  let cumulative = 0;
  let count = 0;
  for (const id of order) {
    cumulative += Math.exp((logits[id] ?? 0) - total);
    if (Math.fround(cumulative) >= Math.fround(mass)) break;
    count++;
  }
  return count;
}
