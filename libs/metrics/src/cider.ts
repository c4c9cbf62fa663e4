import { countNGrams, MAX_N, type NGramCounts } from './n-grams.ts';
import { meanScore, type Score } from './score.ts';
import { tokenizeItems, type TokenizeOptions } from './tokenized.ts';

/** Standard deviation of the penalty for other lengths, in words. */
const SIGMA = 6;
/** Scores are multiplied by this. */
const SCALE = 10;

/** Weights of the n-grams of a text, by length minus one. */
interface Vector {
  readonly weights: readonly ReadonlyMap<string, number>[];
  readonly norms: readonly number[];
  /** Number of pairs of words, which pycocoevalcap takes for the length. */
  readonly length: number;
}

/** Compares a prediction with a reference: the similarity of their n-grams of each length. */
type Similarity = (own: Vector, other: Vector, n: number) => number;

/**
 * CIDEr-D of captions (Vedantam et al., 2015), with clipped counts and a penalty for other lengths. It is what
 * pycocoevalcap, and with it most papers, call CIDEr. Document frequencies are those of `references`: a data set of one
 * image has the score 0, and scores of different data sets cannot be compared.
 * @throws Blip2Error `INVALID_ARGUMENT` for empty lists, lists of different lengths and references without words.
 */
export function ciderD(
  predictions: readonly string[],
  references: readonly (readonly string[])[],
  options: TokenizeOptions = {},
): Score {
  return consensus(predictions, references, options, (own, other, n) => {
    let sum = 0;
    for (const [key, weight] of own.weights[n]!) {
      const shared = other.weights[n]!.get(key) ?? 0;
      sum += Math.min(weight, shared) * shared;
    }
    const difference = own.length - other.length;
    return normalized(sum, own, other, n) * Math.exp(-(difference ** 2) / (2 * SIGMA ** 2));
  });
}

/**
 * CIDEr of captions in its first form (Vedantam et al., 2015): no clipping, no penalty for other lengths. For the
 * number that papers report, use `ciderD`.
 * @throws Blip2Error as `ciderD`.
 */
export function cider(
  predictions: readonly string[],
  references: readonly (readonly string[])[],
  options: TokenizeOptions = {},
): Score {
  return consensus(predictions, references, options, (own, other, n) => {
    let sum = 0;
    for (const [key, weight] of own.weights[n]!) sum += weight * (other.weights[n]!.get(key) ?? 0);
    return normalized(sum, own, other, n);
  });
}

function normalized(sum: number, own: Vector, other: Vector, n: number): number {
  const norms = own.norms[n]! * other.norms[n]!;
  return norms === 0 ? sum : sum / norms;
}

function consensus(
  predictions: readonly string[],
  references: readonly (readonly string[])[],
  options: TokenizeOptions,
  similarity: Similarity,
): Score {
  const items = tokenizeItems(predictions, references, options).map((item) => ({
    prediction: countNGrams(item.prediction),
    references: item.references.map(countNGrams),
  }));
  const frequencies = documentFrequencies(items.map((item) => item.references));
  const vectorOf = (counts: NGramCounts): Vector => toVector(counts, frequencies, items.length);
  return meanScore(
    items.map(({ prediction, references: others }) => {
      const own = vectorOf(prediction);
      let sum = 0;
      for (const other of others.map(vectorOf)) {
        for (let n = 0; n < MAX_N; n++) sum += similarity(own, other, n);
      }
      return (sum / MAX_N / others.length) * SCALE;
    }),
  );
}

/** In how many images' references each n-gram appears. */
function documentFrequencies(images: readonly (readonly NGramCounts[])[]): ReadonlyMap<string, number> {
  const frequencies = new Map<string, number>();
  for (const references of images) {
    const keys = new Set(references.flatMap((counts) => counts.flatMap((each) => [...each.keys()])));
    for (const key of keys) frequencies.set(key, (frequencies.get(key) ?? 0) + 1);
  }
  return frequencies;
}

/** Weighs counts by the logarithm of how rare their n-gram is. */
function toVector(counts: NGramCounts, frequencies: ReadonlyMap<string, number>, images: number): Vector {
  const weights = counts.map(
    (each) =>
      new Map([...each].map(([key, count]) => [key, count * (Math.log(images) - Math.log(frequencies.get(key) ?? 1))])),
  );
  const norms = weights.map((each) => Math.sqrt([...each.values()].reduce((sum, weight) => sum + weight ** 2, 0)));
  return { weights, norms, length: [...counts[1]!.values()].reduce((sum, count) => sum + count, 0) };
}
