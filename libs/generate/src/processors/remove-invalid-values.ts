import type { LogitsProcessor } from '@blip2/interfaces';

const LARGEST_FLOAT32 = 3.4028234663852886e38;

/** Replaces NaN by 0 and infinities by the largest float32 of their sign. Reference: `InfNanRemoveLogitsProcessor`. */
export function removeInvalidValues(): LogitsProcessor {
  return (_ids, scores) => {
    for (let id = 0; id < scores.length; id++) {
      const score = scores[id]!;
      if (Number.isNaN(score)) scores[id] = 0;
      else if (!Number.isFinite(score)) scores[id] = score > 0 ? LARGEST_FLOAT32 : -LARGEST_FLOAT32;
    }
  };
}
