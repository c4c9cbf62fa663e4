import { type LogitsProcessor, mustBe, type TokenIds } from '@blip2/interfaces';

/**
 * Forces the second id of a row, which follows the start token of a seq2seq decoder. Source: HF
 * `ForcedBOSTokenLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * forcedBosToken(1)([0], logits);
 * logits; // [-Infinity, 0, -Infinity]
 * ```
 *
 * @throws Blip2Error `INVALID_ARGUMENT`, when it runs, if the id is not in the vocabulary.
 */
export function forcedBosToken(tokenId: number): LogitsProcessor {
  return (ids, logits) => {
    if (ids.length === 1) force(logits, [tokenId], 'forcedBosTokenId');
  };
}

/**
 * Forces one of the end tokens as the last id of a row of `maxLength` ids, prompt included. Source: HF
 * `ForcedEOSTokenLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * forcedEosToken([2], 4)([7, 8, 9], logits);
 * logits; // [-Infinity, -Infinity, 0]
 * ```
 *
 * @throws Blip2Error `INVALID_ARGUMENT`, when it runs, if an id is not in the vocabulary.
 */
export function forcedEosToken(tokenIds: TokenIds, maxLength: number): LogitsProcessor {
  return (ids, logits) => {
    if (ids.length === maxLength - 1) force(logits, tokenIds, 'forcedEosTokenId');
  };
}

function force(logits: Float32Array, tokenIds: TokenIds, option: string): void {
  const unknown = tokenIds.find((id) => id >= logits.length);
  if (unknown !== undefined) throw mustBe(option, `below the vocabulary size ${logits.length}`, unknown);
  logits.fill(-Infinity);
  for (const id of tokenIds) logits[id] = 0;
}
