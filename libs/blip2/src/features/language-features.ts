import type { TextTokenizer } from '@blip2/interfaces';
import type { CheckpointLanguageModel } from '@blip2/language';

import { expectKnownTokens } from '../pipeline/known-tokens.ts';
import { type Extract, languageStates, rowsOf } from './feature-tools.ts';

export interface LanguageTools {
  tokenizer(): Promise<Pick<TextTokenizer, 'encode'>>;
  language(): Promise<CheckpointLanguageModel>;
}

/** The hidden states of a language model for texts without images, each with the special tokens of the tokenizer. */
export function languageFeatures({ tokenizer, language }: LanguageTools): Extract {
  return async ({ text = [] }, wanted) => {
    const [{ encode }, model] = [await tokenizer(), await language()];
    const inputIds = text.map((each) => encode(each));
    expectKnownTokens(inputIds, model.vocabularySize);
    const results: Awaited<ReturnType<Extract>> = [];
    // Without padding: one text at a time.
    for (const ids of inputIds) {
      wanted.signal?.throwIfAborted();
      results.push(...rowsOf(await languageStates(model, { inputIds: [ids] }, wanted)));
    }
    return results;
  };
}
