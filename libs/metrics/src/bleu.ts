import { countNGrams, MAX_N, type NGramCounts } from './n-grams.ts';
import { type TokenizedItem, tokenizeItems, type TokenizeOptions } from './tokenized.ts';

/** BLEU-1 to BLEU-4. */
export interface BleuScores {
  /** Over the whole data set, [0] is BLEU-1 and [3] BLEU-4; in [0, 1]. */
  readonly scores: readonly [number, number, number, number];
  /** Of each prediction, in the same order. */
  readonly perItem: readonly (readonly [number, number, number, number])[];
}

/** Constants of pycocoevalcap, which keep divisions by zero out. */
const SMALL = 1e-9;
const TINY = 1e-15;

/** Counts that BLEU is computed from. */
interface Counts {
  readonly length: number;
  /** Number of words of the closest reference, the shorter one of two. */
  readonly referenceLength: number;
  /** Number of n-grams, and how many of them are in a reference. */
  readonly guesses: readonly number[];
  readonly correct: readonly number[];
}

/**
 * BLEU of captions (Papineni et al., 2002) as pycocoevalcap computes it: `Bleu(4)` with the closest reference length.
 * @throws Blip2Error `INVALID_ARGUMENT` for empty lists, lists of different lengths and references without words.
 */
export function bleu(
  predictions: readonly string[],
  references: readonly (readonly string[])[],
  options: TokenizeOptions = {},
): BleuScores {
  const counts = tokenizeItems(predictions, references, options).map(countsOf);
  const add = (pick: (of: Counts) => readonly number[]): number[] =>
    Array.from({ length: MAX_N }, (_, n) => counts.reduce((sum, each) => sum + pick(each)[n]!, 0));
  const total: Counts = {
    length: counts.reduce((sum, { length }) => sum + length, 0),
    referenceLength: counts.reduce((sum, { referenceLength }) => sum + referenceLength, 0),
    guesses: add(({ guesses }) => guesses),
    correct: add(({ correct }) => correct),
  };
  return { scores: scoresOf(total), perItem: counts.map(scoresOf) };
}

function countsOf({ prediction, references }: TokenizedItem): Counts {
  const grams = references.map(countNGrams);
  const own = countNGrams(prediction);
  return {
    length: prediction.length,
    referenceLength: closestLength(prediction.length, references),
    guesses: Array.from({ length: MAX_N }, (_, n) => Math.max(0, prediction.length - n)),
    correct: own.map((counts, n) => {
      let sum = 0;
      for (const [key, count] of counts) sum += Math.min(count, mostOften(grams, n, key));
      return sum;
    }),
  };
}

function mostOften(grams: readonly NGramCounts[], n: number, key: string): number {
  return Math.max(...grams.map((counts) => counts[n]!.get(key) ?? 0));
}

function closestLength(length: number, references: readonly (readonly string[])[]): number {
  return references
    .map((words) => words.length)
    .reduce((best, other) => {
      const difference = Math.abs(other - length) - Math.abs(best - length);
      return difference < 0 || (difference === 0 && other < best) ? other : best;
    });
}

function scoresOf({ length, referenceLength, guesses, correct }: Counts): [number, number, number, number] {
  const ratio = (length + TINY) / (referenceLength + SMALL);
  const penalty = ratio < 1 ? Math.exp(1 - 1 / ratio) : 1;
  let product = 1;
  const scores = guesses.map((guessed, n) => {
    product *= (correct[n]! + TINY) / (guessed + SMALL);
    return product ** (1 / (n + 1)) * penalty;
  });
  return scores as [number, number, number, number];
}
