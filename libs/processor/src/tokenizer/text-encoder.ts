import type { JsonObject } from '@blip2/files';

import { type AddedToken, createSplitter } from './added-tokens.ts';
import { createEngine } from './engine.ts';
import { createNormalizer } from './normalizers.ts';
import { createPreTokenizer } from './pre-tokenizers.ts';
import type { TokenizerModel } from './vocabulary.ts';

/** Encodes a text without start and end tokens. `escape`: treat special tokens in the text as plain text. */
export type TextEncode = (text: string, escape: boolean) => readonly number[];

/**
 * Creates the encoder of a tokenizer, with the stages of the Rust library.
 *
 * 1. Extract the added tokens that are matched in the raw text.
 * 2. Normalise the rest.
 * 3. Extract the added tokens that are matched in the normalised text.
 * 4. Split the rest into words (pre-tokenization).
 * 5. Map words to ids with the subword model.
 */
export function createTextEncoder(
  tokenizer: JsonObject,
  model: TokenizerModel,
  addedTokens: readonly AddedToken[],
): TextEncode {
  const normalize = createNormalizer(tokenizer['normalizer']);
  const preTokenize = createPreTokenizer(tokenizer['pre_tokenizer']);
  const build = (
    recognised: readonly AddedToken[],
    hidden: ReadonlySet<string>,
  ): ((text: string) => readonly number[]) => {
    const engine = createEngine(model, hidden);
    const splitRaw = createSplitter(recognised.filter(({ normalized }) => !normalized));
    const normalizedTokens = recognised
      .filter(({ normalized }) => normalized)
      .map((token) => ({ ...token, content: normalize(token.content) }));
    const splitNormalized = createSplitter(normalizedTokens.filter(({ content }) => content !== ''));
    return (text) =>
      splitRaw(text).flatMap((section) =>
        'token' in section
          ? [section.token.id]
          : splitNormalized(normalize(section.text)).flatMap((part) =>
              'token' in part ? [part.token.id] : engine(preTokenize(part.text, section.start + part.start === 0)),
            ),
      );
  };
  const plain = build(addedTokens, new Set());
  const special = new Set(addedTokens.filter((token) => token.special).map(({ content }) => content));
  let escaped: typeof plain | undefined;
  return (text, escape) => {
    if (!escape) return plain(text);
    escaped ??= build(
      addedTokens.filter((token) => !token.special),
      special,
    );
    return escaped(text);
  };
}
