import type { StoppingCriterion, TokenIds } from '@blip2/interfaces';

/** Maximum number of tokens per character: a byte-level tokenizer uses up to four, one per UTF-8 byte. */
const MAX_TOKENS_PER_CHARACTER = 4;

/**
 * Creates a criterion that ends a row once its new text contains one of `texts` (at least one, none empty), also within
 * the newest token. The prompt is not searched. Decodes the newest tokens only: one per UTF-8 byte of the longest text,
 * and some more, so that incomplete characters have no effect.
 */
export function stopStrings(texts: readonly string[], decode: (ids: TokenIds) => string): StoppingCriterion {
  const longest = Math.max(...texts.map((text) => new TextEncoder().encode(text).length));
  return (newIds) => {
    const text = decode(newIds.slice(-longest - MAX_TOKENS_PER_CHARACTER));
    return texts.some((stop) => text.includes(stop));
  };
}
