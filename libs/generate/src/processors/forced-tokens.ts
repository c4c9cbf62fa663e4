import { Blip2Error, type LogitsProcessor, type TokenIds } from '@blip2/interfaces';

/**
 * Leaves one choice after the first id of a row: right for decoders that begin with a start token. Reference:
 * `ForcedBOSTokenLogitsProcessor`.
 * @throws Blip2Error when it runs, `INVALID_ARGUMENT` if the id lies beyond the vocabulary.
 */
export function forcedBosToken(tokenId: number): LogitsProcessor {
  return (ids, scores) => {
    if (ids.length === 1) force(scores, [tokenId]);
  };
}

/**
 * Leaves only the end tokens for the last id of a row of `maxLength` ids, prompt included. Reference:
 * `ForcedEOSTokenLogitsProcessor`.
 * @throws Blip2Error when it runs, `INVALID_ARGUMENT` if an id lies beyond the vocabulary.
 */
export function forcedEosToken(tokenIds: TokenIds, maxLength: number): LogitsProcessor {
  return (ids, scores) => {
    if (ids.length === maxLength - 1) force(scores, tokenIds);
  };
}

function force(scores: Float32Array, tokenIds: TokenIds): void {
  const unknown = tokenIds.find((id) => id >= scores.length);
  if (unknown !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'A forced token id is not in the vocabulary', {
      expected: `ids below ${scores.length}`,
      got: String(unknown),
    });
  scores.fill(-Infinity);
  for (const id of tokenIds) scores[id] = 0;
}
