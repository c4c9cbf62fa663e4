import { expectKnownOptions, mustBe } from '@blip2/interfaces';

import {
  RETRIEVAL_OPTIONS,
  type RetrievalImage,
  type RetrievalTaskOptions,
  type RetrievalTaskParts,
  type RetrievalText,
} from './encode-retrieval-inputs.ts';
import { cosineOf, type ImageTextPair, scorePairs } from './score-pairs.ts';

/** Direction and depth of a search. */
export interface RetrieveOptions extends RetrievalTaskOptions {
  /** How many of the nearest by ITC the matching head scores, and how many are returned. Default: 128, the paper's. */
  readonly topK?: number;
  /** `textToImage` (default): the best images for every text. `imageToText`: the best texts for every image. */
  readonly direction?: 'textToImage' | 'imageToText';
}

const RETRIEVE: Readonly<Record<Exclude<keyof RetrieveOptions, keyof RetrievalTaskOptions>, true>> = {
  topK: true,
  direction: true,
};

/**
 * Checks the options of `retrieve`, before anything is encoded.
 * @throws Blip2Error `UNKNOWN_OPTION`; `INVALID_ARGUMENT` for a `topK` that is not a positive integer.
 */
export function expectRetrieveOptions(options: RetrieveOptions): void {
  expectKnownOptions('retrieve', options, [...RETRIEVAL_OPTIONS, ...Object.keys(RETRIEVE)]);
  const { topK = DEFAULT_TOP_K, direction = 'textToImage' } = options;
  if (!Number.isInteger(topK) || topK < 1) throw mustBe('topK', 'a positive integer', topK);
  if (direction !== 'textToImage' && direction !== 'imageToText')
    throw mustBe('direction', "'textToImage' or 'imageToText'", direction);
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

/** Ranks the candidates of every query in two stages, nearest by cosine and then by the matching head, best first. */
export async function rankCandidates(
  parts: RetrievalTaskParts,
  images: readonly RetrievalImage[],
  texts: readonly RetrievalText[],
  { topK = DEFAULT_TOP_K, direction = 'textToImage', ...options }: RetrieveOptions,
): Promise<RankedCandidate[][]> {
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
