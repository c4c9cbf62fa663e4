import type { PatchFeatures } from '@blip2/interfaces';

import {
  batches,
  type EncodedImage,
  type EncodedText,
  padded,
  type RetrievalTaskOptions,
  type RetrievalTaskParts,
} from './encode-inputs.ts';
import { bestCosines } from './similarity.ts';

export interface ImageTextPair {
  readonly image: EncodedImage;
  readonly text: EncodedText;
}

/** What the matching head says of a pair. */
export interface PairScore {
  /** Score of "matches" before softmax. */
  readonly logit: number;
  /** Probability of "matches", in [0, 1]. */
  readonly probability: number;
}

/** Pairs that go through the Q-Former at a time. */
const PAIR_BATCH = 16;

/** The matching head's opinion of each pair, in order. */
export async function scorePairs(
  { qformer, itmHead }: RetrievalTaskParts,
  pairs: readonly ImageTextPair[],
  { signal }: RetrievalTaskOptions,
): Promise<PairScore[]> {
  const scores: PairScore[] = [];
  for (const batch of batches(pairs, PAIR_BATCH)) {
    signal?.throwIfAborted();
    const queries = await qformer.query(
      stacked(batch.map(({ image }) => image.patches)),
      padded(batch.map(({ text }) => text.ids)),
    );
    const { data } = await itmHead.classify(queries);
    batch.forEach((_, row) => scores.push(pairScore(data[2 * row] ?? NaN, data[2 * row + 1] ?? NaN)));
  }
  return scores;
}

function pairScore(mismatch: number, match: number): PairScore {
  return { logit: match, probability: 1 / (1 + Math.exp(mismatch - match)) };
}

/** Cosine of text and best query, in [-1, 1]. */
export function cosineOf({ image, text }: ImageTextPair): number {
  const [cosine = NaN] = bestCosines(image.embeds, text.embeds).data;
  // Rounding can lead just beyond.
  return Math.max(-1, Math.min(1, cosine));
}

function stacked(rows: readonly PatchFeatures[]): PatchFeatures {
  const [, patches = 0, size = 0] = rows[0]?.dims ?? [];
  const data = new Float32Array(rows.length * patches * size);
  rows.forEach((row, index) => data.set(row.data, index * patches * size));
  return { type: 'float32', dims: [rows.length, patches, size], data };
}
