import type { Sampler } from '@blip2/interfaces';

/**
 * Selects the token with the largest logit; of equal ones the first. -1 if no logit is above -Infinity.
 *
 * ```ts
 * argmax(Float32Array.of(1, 3, 2)); // 1
 * ```
 */
export const argmax: Sampler = (logits) => {
  let best = -1;
  let largest = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? 0;
    if (logit > largest) {
      largest = logit;
      best = id;
    }
  }
  return best;
};
