import type { LogitsProcessor, TokenIds } from '@blip2/interfaces';

/** Forbids some ids; those beyond the vocabulary are left alone. Reference: `SuppressTokensLogitsProcessor`. */
export function suppressTokens(tokenIds: TokenIds): LogitsProcessor {
  return (_ids, scores) => {
    for (const id of tokenIds) if (id < scores.length) scores[id] = -Infinity;
  };
}

/**
 * Forbids some ids while the row has exactly `beginIndex` ids, prompt included. Reference:
 * `SuppressTokensAtBeginLogitsProcessor`.
 */
export function beginSuppressTokens(tokenIds: TokenIds, beginIndex: number): LogitsProcessor {
  const suppress = suppressTokens(tokenIds);
  return (ids, scores) => {
    if (ids.length === beginIndex) suppress(ids, scores);
  };
}
