import type { LogitsProcessor, TokenIds } from '@blip2/interfaces';

/** Leaves one choice after the first id of a row: right for decoders that begin with a start token. Reference: `ForcedBOSTokenLogitsProcessor`. */
export function forcedBosToken(tokenId: number): LogitsProcessor {
  return (ids, scores) => {
    if (ids.length === 1) force(scores, [tokenId]);
  };
}

/** Leaves only the end tokens for the last id of a row of `maxLength` ids. Reference: `ForcedEOSTokenLogitsProcessor`. */
export function forcedEosToken(tokenIds: TokenIds, maxLength: number): LogitsProcessor {
  return (ids, scores) => {
    if (ids.length === maxLength - 1) force(scores, tokenIds);
  };
}

function force(scores: Float32Array, tokenIds: TokenIds): void {
  scores.fill(-Infinity);
  for (const id of tokenIds) if (id < scores.length) scores[id] = 0;
}
