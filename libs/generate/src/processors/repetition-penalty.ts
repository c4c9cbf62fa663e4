import type { LogitsProcessor } from '@blip2/interfaces';

/**
 * Once for each distinct id of the row, divides a positive score by `penalty` and multiplies a negative one.
 * Ids beyond the vocabulary (spare embedding rows) are left alone. Reference: `RepetitionPenaltyLogitsProcessor` (CTRL,
 * Keskar et al. 2019).
 */
export function repetitionPenalty(penalty: number): LogitsProcessor {
  const factor = Math.fround(penalty);
  return (ids, scores) => {
    for (const id of new Set(ids)) {
      const score = scores[id];
      if (score !== undefined) scores[id] = score < 0 ? score * factor : score / factor;
    }
  };
}
