import type { LogitsProcessor } from '@blip2/interfaces';

const LARGEST_FLOAT32 = 3.4028234663852886e38;

/**
 * Replaces NaN by 0 and infinities by the largest finite float32 of their sign. Source: HF
 * `InfNanRemoveLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, NaN, 2);
 * removeInvalidValues()([], logits);
 * logits; // [3, 0, 2]
 * ```
 */
export function removeInvalidValues(): LogitsProcessor {
  return (_ids, logits) => {
    for (let id = 0; id < logits.length; id++) {
      const logit = logits[id] ?? 0;
      if (Number.isNaN(logit)) logits[id] = 0;
      else if (!Number.isFinite(logit)) logits[id] = logit > 0 ? LARGEST_FLOAT32 : -LARGEST_FLOAT32;
    }
  };
}
