import type { JsonObject } from '@blip2/files';

import type { AddedToken } from './added-tokens.ts';
import { createModel } from './models/create-model.ts';
import type { TokenizerModel } from './models/model.ts';
import { createNormalizer } from './normalizers.ts';
import { createPreTokenizer } from './pre-tokenizers.ts';
import { createSplitter } from './splitter.ts';
import { createWork, type Work } from './work.ts';

/** Encodes a text without start and end tokens. `escape`: treat special tokens in the text as plain text. */
export type TextEncode = (text: string, escape: boolean, work?: Work) => readonly number[];

type Encoding = (text: string, work: Work) => readonly number[];

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
  const encode = createModel(model);
  const normalizing = createWork();
  const normalizedTokens = addedTokens
    .filter(({ normalized }) => normalized)
    .map((token) => ({ ...token, content: normalize(token.content, normalizing) }));
  const build = (isRecognised: (token: AddedToken) => boolean, hidden?: ReadonlySet<number>): Encoding => {
    const splitRaw = createSplitter(addedTokens.filter((token) => !token.normalized && isRecognised(token)));
    const splitNormalized = createSplitter(
      normalizedTokens.filter((token) => token.content !== '' && isRecognised(token)),
    );
    return (text, work) =>
      splitRaw(text, work).flatMap((section) =>
        'token' in section
          ? [section.token.id]
          : splitNormalized(normalize(section.text, work), work).flatMap((part) =>
              'token' in part
                ? [part.token.id]
                : encode(preTokenize(part.text, section.start + part.start === 0, work), work, hidden),
            ),
      );
  };
  const plain = build(() => true);
  let escaped: Encoding | undefined;
  return (text, escape, work = createWork()) => {
    if (!escape) return plain(text, work);
    escaped ??= build(({ special }) => !special, hiddenIds(addedTokens, model));
    return escaped(text, work);
  };
}

/** The ids that the model would give to special tokens. */
function hiddenIds(addedTokens: readonly AddedToken[], { vocabulary }: TokenizerModel): ReadonlySet<number> {
  return new Set(addedTokens.flatMap(({ special, content }) => (special ? (vocabulary.get(content) ?? []) : [])));
}
