import type { Sampler } from '@blip2/interfaces';

/** Takes the best token; of equal ones the first. −1 if no score is above −∞. */
export const argmax: Sampler = (scores) => {
  let best = -1;
  let largest = -Infinity;
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id]!;
    if (score > largest) {
      largest = score;
      best = id;
    }
  }
  return best;
};
