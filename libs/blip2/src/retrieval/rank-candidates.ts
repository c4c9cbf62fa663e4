import { mustBe } from '@blip2/interfaces';

import type {
  RetrievalImage,
  RetrievalTaskOptions,
  RetrievalTaskParts,
  RetrievalText,
} from './encode-retrieval-inputs.ts';
import { cosineOf, type ImageTextPair, scorePairs } from './score-pairs.ts';

/** Direction and depth of a search. */
export interface RetrieveOptions extends RetrievalTaskOptions {
  /** How many of the nearest by ITC the matching head scores, and how many are returned. Default: 128, the paper's. */
  readonly topK?: number;
  /** `textToImage` (default): the best images for every text. `imageToText`: the best texts for every image. */
  readonly direction?: 'textToImage' | 'imageToText';
}

/** One candidate of a query. */
export interface RankedCandidate {
  /** Index of the image (`textToImage`) or the text (`imageToText`) in the input list. */
  readonly index: number;
  /**
   * Logit of "matches" plus `itc`, by which candidates are sorted. Meaningful only for its order.
   */
  readonly score: number;
  /** Probability that they match, in [0, 1]. */
  readonly itm: number;
  /** Cosine, in [-1, 1]. */
  readonly itc: number;
}

/** `k` in the evaluation of the paper (arXiv 2301.12597, section 4.4). */
const DEFAULT_TOP_K = 128;

/**
 * Ranks the candidates of every query in two stages, nearest by cosine and then by the matching head, best first.
 * @throws Blip2Error `INVALID_ARGUMENT` for a `topK` that is not a positive integer.
 */
export async function rankCandidates(
  parts: RetrievalTaskParts,
  images: readonly RetrievalImage[],
  texts: readonly RetrievalText[],
  { topK = DEFAULT_TOP_K, direction = 'textToImage', ...options }: RetrieveOptions,
): Promise<RankedCandidate[][]> {
  if (!Number.isInteger(topK) || topK < 1) throw mustBe('topK', 'a positive integer', topK);
  const pairsOfQuery: readonly (readonly ImageTextPair[])[] =
    direction === 'textToImage'
      ? texts.map((text) => images.map((image) => ({ image, text })))
      : images.map((image) => texts.map((text) => ({ image, text })));
  const ranked: RankedCandidate[][] = [];
  for (const pairs of pairsOfQuery) ranked.push(await rankOne(parts, pairs, topK, options));
  return ranked;
}

async function rankOne(
  parts: RetrievalTaskParts,
  pairs: readonly ImageTextPair[],
  topK: number,
  options: RetrievalTaskOptions,
): Promise<RankedCandidate[]> {
  const nearest = pairs
    .map((pair, index) => ({ pair, index, itc: cosineOf(pair) }))
    .toSorted((a, b) => b.itc - a.itc)
    .slice(0, topK);
  const scores = await scorePairs(
    parts,
    nearest.map(({ pair }) => pair),
    options,
  );
  return nearest
    .flatMap(({ index, itc }, rank): RankedCandidate[] => {
      const score = scores[rank];
      return score ? [{ index, score: score.logit + itc, itm: score.probability, itc }] : [];
    })
    .toSorted((a, b) => b.score - a.score);
}
