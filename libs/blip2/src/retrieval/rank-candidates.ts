import { Blip2Error } from '@blip2/interfaces';

import type { EncodedImage, EncodedText, RetrievalTaskOptions, RetrievalTaskParts } from './encode-inputs.ts';
import { cosineOf, type ImageTextPair, scorePairs } from './score-pairs.ts';

/** What is searched with what, and how far. */
export interface RetrieveOptions extends RetrievalTaskOptions {
  /**
   * How many of the nearest by ITC the matching head judges, and so how many are returned. Default 128, the paper's.
   */
  readonly topK?: number;
  /** `textToImage` (default): the best images for every text. `imageToText`: the best texts for every image. */
  readonly direction?: 'textToImage' | 'imageToText';
}

/** One candidate of a query. */
export interface RankedCandidate {
  /** Of the image (`textToImage`) or the text in the list that was given. */
  readonly index: number;
  /**
   * Score of "matches" of the matching head plus `itc`, by which candidates are sorted; only its order means something.
   */
  readonly score: number;
  /** Probability that they match, in [0, 1]. */
  readonly itm: number;
  /** Cosine, in [-1, 1]. */
  readonly itc: number;
}

/** `k` of the evaluation (arXiv 2301.12597, section 4.4). */
const DEFAULT_TOP_K = 128;

/**
 * Two stages for every query: the nearest by cosine, then sorted by what the matching head says of them. Best first.
 */
export async function rankCandidates(
  parts: RetrievalTaskParts,
  images: readonly EncodedImage[],
  texts: readonly EncodedText[],
  { topK = DEFAULT_TOP_K, direction = 'textToImage', ...options }: RetrieveOptions,
): Promise<RankedCandidate[][]> {
  if (!Number.isInteger(topK) || topK < 1)
    throw new Blip2Error('INVALID_ARGUMENT', 'Impossible number of candidates', {
      where: 'topK',
      expected: 'a whole number above 0',
      got: String(topK),
    });
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
  const judged = await scorePairs(
    parts,
    nearest.map(({ pair }) => pair),
    options,
  );
  return nearest
    .flatMap(({ index, itc }, place): RankedCandidate[] => {
      const opinion = judged[place];
      return opinion ? [{ index, score: opinion.logit + itc, itm: opinion.probability, itc }] : [];
    })
    .toSorted((a, b) => b.score - a.score);
}
