import { mustBe } from '@blip2/interfaces';

import { captionTokens } from './caption-tokens.ts';
import { expectTexts } from './expect-texts.ts';
import { splitWords } from './split-words.ts';

/** Options of the metrics that compare words. */
export interface TokenizeOptions {
  /**
   * Splits a text into words, default `captionTokens`. Pass `splitWords` for texts that are tokenized already; words
   * are separated by spaces.
   */
  readonly tokenize?: (text: string) => readonly string[];
}

/** Words of a prediction and of its references. */
export interface TokenizedItem {
  readonly prediction: readonly string[];
  readonly references: readonly (readonly string[])[];
}

/** Checks and tokenizes all texts. References must have words; predictions need not. */
export function tokenizeItems(
  predictions: readonly string[],
  references: readonly (readonly string[])[],
  { tokenize = captionTokens }: TokenizeOptions,
): TokenizedItem[] {
  if (typeof tokenize !== 'function') throw mustBe('tokenize', 'a function from text to words', tokenize);
  expectTexts(predictions, references);
  const wordsOf = (text: string): string[] => splitWords(tokenize(text).join(' '));
  return predictions.map((prediction, at) => ({
    prediction: wordsOf(prediction),
    references: references[at]!.map((reference, index) => {
      const words = wordsOf(reference);
      if (words.length === 0) throw mustBe(`references[${at}][${index}]`, 'a text with words', reference);
      return words;
    }),
  }));
}
