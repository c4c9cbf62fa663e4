import type { LogitsProcessor } from '@blip2/interfaces';

/**
 * Divides positive logits by `penalty` and multiplies negative ones, once for each distinct id of the row. Ids beyond
 * the vocabulary are skipped. Source: HF `RepetitionPenaltyLogitsProcessor` (CTRL, Keskar et al. 2019).
 *
 * ```ts
 * const logits = Float32Array.of(3, -1, 2);
 * repetitionPenalty(2)([1, 2], logits);
 * logits; // [3, -2, 1]
 * ```
 */
export function repetitionPenalty(penalty: number): LogitsProcessor {
  const factor = Math.fround(penalty);
  return (ids, logits) => {
    for (const id of new Set(ids)) {
      const logit = logits[id];
      if (logit !== undefined) logits[id] = logit < 0 ? logit * factor : logit / factor;
    }
  };
}
