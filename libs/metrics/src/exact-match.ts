import { mustBe } from '@blip2/interfaces';

import { expectTexts } from './expect-texts.ts';
import { meanScore, type Score } from './score.ts';

/** Options of `exactMatch`. */
export interface ExactMatchOptions {
  /** Is applied to predictions and references before they are compared: `normalizeAnswer`, for example. */
  readonly normalize?: (text: string) => string;
}

/**
 * Exact match: 1 for a prediction that equals one of its references, else 0. Without options texts are compared as
 * they are, as `exact_match` of Hugging Face evaluate does.
 * @throws Blip2Error `INVALID_ARGUMENT` for empty lists and lists of different lengths.
 */
export function exactMatch(
  predictions: readonly string[],
  references: readonly (string | readonly string[])[],
  { normalize = (text) => text }: ExactMatchOptions = {},
): Score {
  if (typeof normalize !== 'function') throw mustBe('normalize', 'a function from text to text', normalize);
  const lists = Array.isArray(references)
    ? references.map((each: string | readonly string[]): readonly string[] =>
        typeof each === 'string' ? [each] : each,
      )
    : [];
  expectTexts(predictions, lists);
  return meanScore(
    predictions.map((prediction, at) => {
      const normalized = normalize(prediction);
      return lists[at]!.some((reference) => normalize(reference) === normalized) ? 1 : 0;
    }),
  );
}
