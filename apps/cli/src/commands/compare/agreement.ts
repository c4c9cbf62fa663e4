import type { ImageRun } from './precision-run.ts';

/** How far another precision is from the first on one image. */
export interface Agreement {
  /** Tokens of the first caption that the other would have chosen in their places too, and all of them. */
  readonly sameTokens: number;
  readonly tokens: number;
  /** Root mean square of the differences of the scores, of that of the first precision's scores. */
  readonly logitError: number;
}

export function agreementOf(first: ImageRun, other: ImageRun): Agreement {
  let [same, difference, size] = [0, 0, 0];
  first.logits.forEach((scores, position) => {
    const others = other.logits[position] ?? new Float32Array(0);
    if (indexOfLargest(scores) === indexOfLargest(others)) same++;
    scores.forEach((score, id) => {
      difference += (score - (others[id] ?? NaN)) ** 2;
      size += score ** 2;
    });
  });
  return { sameTokens: same, tokens: first.logits.length, logitError: size === 0 ? 0 : Math.sqrt(difference / size) };
}

function indexOfLargest(scores: Float32Array): number {
  return scores.reduce((best, score, id) => (score > (scores[best] ?? -Infinity) ? id : best), 0);
}
