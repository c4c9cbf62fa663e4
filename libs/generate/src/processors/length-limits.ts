import type { LengthDecay, LogitsProcessor, TokenIds } from '@blip2/interfaces';

import { suppressTokens } from './suppress-tokens.ts';

/**
 * Suppresses the end tokens while a row has fewer than `length` ids, prompt included. Source: HF
 * `MinLengthLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * minLength(4, [2])([7, 8, 9], logits);
 * logits; // [3, 1, -Infinity]
 * ```
 */
export function minLength(length: number, eosTokenIds: TokenIds): LogitsProcessor {
  const suppressEnd = suppressTokens(eosTokenIds);
  return (ids, logits) => {
    if (ids.length < length) suppressEnd(ids, logits);
  };
}

/**
 * Suppresses the end tokens while a row has fewer than `count` ids after the `promptLength` ids of the prompt. Source:
 * HF `MinNewTokensLengthLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * minNewTokens(2, 2, [2])([7, 8, 9], logits);
 * logits; // [3, 1, -Infinity]
 * ```
 */
export function minNewTokens(count: number, promptLength: number, eosTokenIds: TokenIds): LogitsProcessor {
  return minLength(promptLength + count, eosTokenIds);
}

/**
 * Adds `|logit| * (factor ** (newTokens - start) - 1)` to the end tokens once a row has more than `start` new tokens.
 * Suppressed end tokens stay suppressed (HF makes them NaN). Source: HF `ExponentialDecayLengthPenalty`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * exponentialDecayLengthPenalty([1, 2], 1, [2])([7, 8, 9], logits);
 * logits; // [3, 1, 4]
 * ```
 */
export function exponentialDecayLengthPenalty(
  [start, factor]: LengthDecay,
  promptLength: number,
  eosTokenIds: TokenIds,
): LogitsProcessor {
  return (ids, logits) => {
    const beyond = ids.length - promptLength - start;
    if (beyond <= 0) return;
    for (const id of eosTokenIds) {
      const logit = logits[id];
      if (logit !== undefined && Number.isFinite(logit))
        logits[id] = logit + Math.fround(Math.abs(logit) * Math.fround(factor ** beyond - 1));
    }
  };
}
