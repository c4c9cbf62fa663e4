import type { StoppingCriterion, TokenIds } from '@blip2/interfaces';

/**
 * Ends a row whose new text contains one of `texts` (one at least, none empty), also in the middle of its newest token.
 * The prompt is not searched.
 * Only the newest tokens are decoded: one for each UTF-8 byte a text has, and a few before them, so that cut characters
 * do not matter.
 */
export function stopStrings(texts: readonly string[], decode: (ids: TokenIds) => string): StoppingCriterion {
  const longest = Math.max(...texts.map((text) => new TextEncoder().encode(text).length));
  return (newIds) => {
    const text = decode(newIds.slice(-longest - TOKENS_OF_ONE_CHARACTER));
    return texts.some((stop) => text.includes(stop));
  };
}

/** A character of UTF-8 has at most four bytes, so at most four tokens. */
const TOKENS_OF_ONE_CHARACTER = 4;
