import type { LogitsProcessor, TokenIds } from '@blip2/interfaces';

/**
 * Suppresses token ids: sets their logits to -Infinity. Ids beyond the vocabulary are skipped. Source: HF
 * `SuppressTokensLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * suppressTokens([0, 2])([], logits);
 * logits; // [-Infinity, 1, -Infinity]
 * ```
 */
export function suppressTokens(tokenIds: TokenIds): LogitsProcessor {
  return (_ids, logits) => {
    for (const id of tokenIds) if (id < logits.length) logits[id] = -Infinity;
  };
}

/**
 * Suppresses token ids while a row has exactly `beginIndex` ids, prompt included. Source: HF
 * `SuppressTokensAtBeginLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * beginSuppressTokens([0], 2)([7, 8], logits);
 * logits; // [-Infinity, 1, 2]
 * ```
 */
export function beginSuppressTokens(tokenIds: TokenIds, beginIndex: number): LogitsProcessor {
  const suppress = suppressTokens(tokenIds);
  return (ids, logits) => {
    if (ids.length === beginIndex) suppress(ids, logits);
  };
}
