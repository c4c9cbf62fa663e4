import type { LengthDecay, LogitsProcessor, TokenIds } from '@blip2/interfaces';

import { suppressTokens } from './suppress-tokens.ts';

/**
 * Forbids the end tokens while the row has fewer than `length` ids, prompt included. Reference:
 * `MinLengthLogitsProcessor`.
 */
export function minLength(length: number, eosTokenIds: TokenIds): LogitsProcessor {
  const suppressEnd = suppressTokens(eosTokenIds);
  return (ids, scores) => {
    if (ids.length < length) suppressEnd(ids, scores);
  };
}

/**
 * Forbids the end tokens while fewer than `count` ids follow the `promptLength` ids of the prompt. Reference:
 * `MinNewTokensLengthLogitsProcessor`.
 */
export function minNewTokens(count: number, promptLength: number, eosTokenIds: TokenIds): LogitsProcessor {
  return minLength(promptLength + count, eosTokenIds);
}

/**
 * Adds `|score| * (factor ** (new - start) - 1)` to the end tokens once there are more than `start` new tokens.
 * A forbidden end token stays forbidden (the reference makes it NaN). Reference: `ExponentialDecayLengthPenalty`.
 */
export function exponentialDecayLengthPenalty(
  [start, factor]: LengthDecay,
  promptLength: number,
  eosTokenIds: TokenIds,
): LogitsProcessor {
  return (ids, scores) => {
    const beyond = ids.length - promptLength - start;
    if (beyond <= 0) return;
    for (const id of eosTokenIds) {
      const score = scores[id];
      if (score !== undefined && Number.isFinite(score))
        scores[id] = score + Math.fround(Math.abs(score) * Math.fround(factor ** beyond - 1));
    }
  };
}
