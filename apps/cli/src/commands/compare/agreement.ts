import type { ImageRun } from './precision-run.ts';

/** How a precision differs from the first one on an image. */
export interface Agreement {
  /** Tokens of the first caption that the other precision would choose at the same positions, and their total. */
  readonly sameTokens: number;
  readonly tokens: number;
  /** Root mean square of the differences of the logits, relative to that of the first precision's logits. */
  readonly logitError: number;
}

export function agreementOf(first: ImageRun, other: ImageRun): Agreement {
  let [same, difference, size] = [0, 0, 0];
  first.logits.forEach((logits, position) => {
    const others = other.logits[position] ?? new Float32Array(0);
    if (indexOfLargest(logits) === indexOfLargest(others)) same++;
    logits.forEach((logit, id) => {
      difference += (logit - (others[id] ?? NaN)) ** 2;
      size += logit ** 2;
    });
  });
  return { sameTokens: same, tokens: first.logits.length, logitError: size === 0 ? 0 : Math.sqrt(difference / size) };
}

function indexOfLargest(logits: Float32Array): number {
  return logits.reduce((best, logit, id) => (logit > (logits[best] ?? -Infinity) ? id : best), 0);
}
