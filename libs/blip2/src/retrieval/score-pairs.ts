import { expectFinite, type QueryFeatures, stackRows } from '@blip2/interfaces';
import type { MatchingHead, MatchingLogits } from '@blip2/qformer';

import { onlyResult } from '../images/image-list.ts';
import {
  batches,
  padded,
  type RetrievalImage,
  type RetrievalTaskOptions,
  type RetrievalTaskParts,
  type RetrievalText,
} from './encode-retrieval-inputs.ts';
import { bestCosines } from './similarity.ts';

/** An image and a text to compare. */
export interface ImageTextPair {
  readonly image: RetrievalImage;
  readonly text: RetrievalText;
}

/** Output of the matching head for a pair. */
export interface PairScore {
  /** Logit of "matches". */
  readonly logit: number;
  /** Probability of "matches", in [0, 1]. */
  readonly probability: number;
}

/** Number of pairs per run of the Q-Former. */
const PAIR_BATCH = 16;

/** Scores each pair with the matching head, in order. */
export async function scorePairs(
  { qformer, itmHead }: RetrievalTaskParts,
  pairs: readonly ImageTextPair[],
  { signal }: RetrievalTaskOptions,
): Promise<PairScore[]> {
  const scores: PairScore[] = [];
  for (const batch of batches(pairs, PAIR_BATCH)) {
    signal?.throwIfAborted();
    const patches = batch.map(({ image }) => image.patches);
    const queries = await qformer.query(
      stackRows([onlyResult(patches), ...patches.slice(1)]),
      padded(batch.map(({ text }) => text.ids)),
    );
    const { data } = await classifyQueries(itmHead, queries);
    batch.forEach((_, row) => scores.push(pairScore(data[2 * row] ?? NaN, data[2 * row + 1] ?? NaN)));
  }
  return scores;
}

/**
 * Logits of the matching head, `[pairs, 2]`.
 * @throws Blip2Error `NOT_FINITE` if the Q-Former or the head, which may be custom, returned NaN or infinity.
 */
export async function classifyQueries(head: MatchingHead, queries: QueryFeatures): Promise<MatchingLogits> {
  return expectFinite('retrieval head', await head.classify(expectFinite('Q-Former', queries)));
}

function pairScore(mismatch: number, match: number): PairScore {
  return { logit: match, probability: 1 / (1 + Math.exp(mismatch - match)) };
}

/** Cosine of the text and the best query of the image, in [-1, 1]. */
export function cosineOf({ image, text }: ImageTextPair): number {
  const [cosine = NaN] = bestCosines(image.embeds, text.embeds).data;
  // Rounding errors can exceed the range.
  return Math.max(-1, Math.min(1, cosine));
}
