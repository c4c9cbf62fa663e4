import type { Sampler } from '@blip2/interfaces';

import { maximum } from '../numeric/softmax.ts';
import type { Random } from './random.ts';

/**
 * Samples a token from the softmax of the logits: the first id whose cumulative probability exceeds a random number. -1
 * if no logit is above -Infinity.
 *
 * ```ts
 * multinomial(createRandom(42, 0))(Float32Array.of(-Infinity, 1, -Infinity)); // 1
 * ```
 */
export function multinomial(random: Random): Sampler {
  return (logits) => {
    const largest = maximum(logits);
    let sum = 0;
    for (let id = 0; id < logits.length; id++) sum += Math.exp((logits[id] ?? 0) - largest);
    const target = random() * sum;
    let cumulative = 0;
    let last = -1;
    for (let id = 0; id < logits.length; id++) {
      const weight = Math.exp((logits[id] ?? 0) - largest);
      if (!(weight > 0)) continue;
      cumulative += weight;
      last = id;
      if (cumulative > target) break;
    }
    return last;
  };
}
