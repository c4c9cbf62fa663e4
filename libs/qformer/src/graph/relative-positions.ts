/**
 * Relative positions of the Q-Former (arXiv 1803.02155 and 2009.13658; transformers up to 4.57,
 * `position_embedding_type`).
 */
import type { Blip2QFormerConfig } from '@blip2/config';
import { Blip2Error, type Tensor } from '@blip2/interfaces';
import {
  add,
  type F32,
  gather,
  type Graph,
  matMul,
  reshape,
  scale,
  transpose,
  type Value,
  type Weights,
} from '@blip2/onnx';

export interface RelativeInputs {
  /** `[batch, positions, hidden]`. */
  readonly query: F32;
  /** `[batch, heads, keys, headSize]`. */
  readonly key: F32;
  /** Row of the relative position embedding for each pair, `[positions, keys]`. */
  readonly distances: Value<'int64'>;
}

/**
 * The attention bias of relative positions, `[batch, heads, positions, keys]`: `q·d(i − j) / √headSize`, with
 * `relative_key_query` plus `k·d(i − j) / √headSize`. All heads share one embedding `[2 · maxPositionEmbeddings − 1,
 * headSize]`.
 */
export function relativeScores(
  g: Graph,
  { query, key, distances }: RelativeInputs,
  weights: Weights,
  config: Blip2QFormerConfig,
): F32 {
  const { hiddenSize, numAttentionHeads, maxPositionEmbeddings, positionEmbeddingType } = config;
  const headSize = hiddenSize / numAttentionHeads;
  return g.scope(weights.path, () => {
    const table = weights.get('weight', [2 * maxPositionEmbeddings - 1, headSize]);
    const vectors = gather(g, table, distances, 0);
    // One matrix product per position: all heads with the embeddings of its distances.
    const ofQuery = transpose(
      g,
      matMul(g, reshape(g, query, [0, 0, numAttentionHeads, headSize]), vectors, { transposeB: true }),
      [0, 2, 1, 3],
    );
    if (positionEmbeddingType === 'relative_key') return scale(g, ofQuery, headSize ** -0.5);
    const ofKey = transpose(
      g,
      matMul(g, transpose(g, key, [0, 2, 1, 3]), transpose(g, vectors, [1, 0, 2]), { transposeB: true }),
      [0, 2, 3, 1],
    );
    return scale(g, add(g, ofQuery, ofKey), headSize ** -0.5);
  });
}

/**
 * Row of the relative position embedding for query position `past + i` and key position `j`.
 * @throws Blip2Error `SEQUENCE_TOO_LONG` beyond `maxPositionEmbeddings`.
 */
export function selfDistances(
  { maxPositionEmbeddings }: Blip2QFormerConfig,
  positions: number,
  past: number,
): Tensor<'int64', [positions: number, keys: number]> {
  if (past + positions > maxPositionEmbeddings) {
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'There are more positions than relative position embeddings', {
      where: 'queryEmbeds',
      expected: `at most ${maxPositionEmbeddings} positions`,
      got: String(past + positions),
    });
  }
  return distanceRows(positions, past + positions, (row, column) => past + row - column + maxPositionEmbeddings - 1);
}

/**
 * Rows of the relative position embedding for queries and image positions. HF computes distances between the queries
 * and applies them to the image, which requires equal numbers. A single query has distance 0 from every image
 * position.
 * @throws Blip2Error `SHAPE_MISMATCH` for other numbers.
 */
export function imageDistances(
  { maxPositionEmbeddings }: Blip2QFormerConfig,
  queries: number,
  patches: number,
): Tensor<'int64', [queries: number, patches: number]> {
  if (queries !== 1 && queries !== patches) {
    throw new Blip2Error('SHAPE_MISMATCH', 'Relative positions require as many queries as image positions', {
      where: 'encoderHiddenStates',
      expected: `${queries} image positions, or a single query`,
      got: String(patches),
      fix: 'Use an image size with as many patches, or a Q-Former with absolute positions',
    });
  }
  return distanceRows(
    queries,
    patches,
    (row, column) => (queries === 1 ? 0 : row - column) + maxPositionEmbeddings - 1,
  );
}

function distanceRows(
  rows: number,
  columns: number,
  at: (row: number, column: number) => number,
): Tensor<'int64', [number, number]> {
  const data = BigInt64Array.from({ length: rows * columns }, (_, index) =>
    BigInt(at(Math.floor(index / columns), index % columns)),
  );
  return { type: 'int64', dims: [rows, columns], data };
}
