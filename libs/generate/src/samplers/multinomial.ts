import type { Sampler } from '@blip2/interfaces';

import { maximum } from '../numeric/softmax.ts';
import type { Random } from './random.ts';

/**
 * Draws a token by its probability: walks up the ids until their sum passes one random number. −1 if no score is above
 * −∞.
 */
export function multinomial(random: Random): Sampler {
  return (scores) => {
    const largest = maximum(scores);
    let sum = 0;
    for (let id = 0; id < scores.length; id++) sum += Math.exp(scores[id]! - largest);
    const target = random() * sum;
    let cumulative = 0;
    let last = -1;
    for (let id = 0; id < scores.length; id++) {
      const weight = Math.exp(scores[id]! - largest);
      if (!(weight > 0)) continue;
      cumulative += weight;
      last = id;
      if (cumulative > target) break;
    }
    return last;
  };
}
