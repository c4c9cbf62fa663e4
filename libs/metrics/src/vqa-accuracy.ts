import { expectTexts } from './expect-texts.ts';
import { cleanAnswer, normalizeAnswer } from './normalize-answer.ts';
import { meanScore, type Score } from './score.ts';

/** Number of other annotators who have to give an answer for it to be right. */
const AGREEING = 3;
/** Without two answers there is nobody to compare an annotator with. */
const MIN_ANSWERS = 2;

/**
 * VQA accuracy (Antol et al., 2015) of the official evaluation: over all annotators, the mean of
 * `min(1, matches among the others / 3)`. Answers are normalized (`normalizeAnswer`) unless all annotators gave the
 * same one; then the prediction has to equal it to the letter, as in the official code.
 * @param answers of each question those of its annotators; the data sets have ten
 * @throws Blip2Error `INVALID_ARGUMENT` for empty lists, lists of different lengths, and fewer than two answers.
 */
export function vqaAccuracy(predictions: readonly string[], answers: readonly (readonly string[])[]): Score {
  expectTexts(predictions, answers, { names: ['predictions', 'answers'], atLeast: MIN_ANSWERS });
  return meanScore(predictions.map((prediction, at) => accuracyOf(prediction, answers[at]!)));
}

function accuracyOf(prediction: string, answers: readonly string[]): number {
  const cleaned = answers.map(cleanAnswer);
  const isUnanimous = new Set(cleaned).size === 1;
  const normalize = isUnanimous ? cleanAnswer : normalizeAnswer;
  const given = normalize(prediction);
  const matches = answers.map((answer) => normalize(answer) === given);
  const total = matches.filter(Boolean).length;
  const accuracies = matches.map((isMatch) => Math.min(1, (total - (isMatch ? 1 : 0)) / AGREEING));
  return accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / accuracies.length;
}
