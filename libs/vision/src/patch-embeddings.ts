import {
  add,
  concat,
  expandBatch,
  type F32,
  type Graph,
  patchConv,
  reshape,
  resizeBicubicLike,
  slice,
  transpose,
  type Weights,
} from '@blip2/onnx';

import type { VisionRequest } from './vision-request.ts';
import { type EncoderSizes, numPositions, patchesPerSide } from './vision-signature.ts';

/** Tensors of the embeddings of an encoder. */
export interface PatchEmbeddingWeights {
  /** `[hidden, channels, patch, patch]`. */
  readonly kernel: F32;
  /** `[hidden]`. */
  readonly bias?: F32;
  /** `[1, 1, hidden]`, of an encoder with a class position. */
  readonly classEmbedding?: F32;
  /** `[1, positions, hidden]`. */
  readonly positions: F32;
}

/** Where an encoder stores its embeddings. */
export interface PatchEmbeddingLayout {
  readonly sizes: EncoderSizes;
  readonly weights: Weights;
  /** Whether position embeddings are interpolated with antialiasing, as in timm. Default: not, as in HF. */
  readonly antialias?: boolean;
  /** Reads the tensors; `positions` is the number of rows of the position embeddings. */
  read(weights: Weights, positions: number): PatchEmbeddingWeights;
}

/**
 * `[batch, channels, height, width]` → `[batch, positions, hidden]`: one vector per patch, after the class embedding if
 * there is one, plus position embeddings.
 */
export function patchEmbeddings(
  g: Graph,
  pixelValues: F32,
  layout: PatchEmbeddingLayout,
  { interpolatePosEncoding }: VisionRequest,
): F32 {
  return g.scope(layout.weights.path, () => embedPatches(g, pixelValues, layout, interpolatePosEncoding));
}

function embedPatches(
  g: Graph,
  pixelValues: F32,
  { sizes, weights, antialias = false, read }: PatchEmbeddingLayout,
  interpolate: boolean,
): F32 {
  const { kernel, bias, classEmbedding, positions } = read(weights, numPositions(sizes));
  const grid = patchConv(g, pixelValues, { weight: kernel, ...(bias && { bias }) });
  const flat = reshape(g, grid, [0, sizes.hiddenSize, -1], interpolate ? 'patches' : undefined);
  const patches = transpose(g, flat, [0, 2, 1]);
  const table = interpolate ? interpolatePositions(g, positions, grid, sizes, antialias) : positions;
  const all = classEmbedding ? concat(g, [expandBatch(g, classEmbedding, patches), patches], 1) : patches;
  return add(g, all, table);
}

/** Position embeddings `[1, positions, hidden]` resized to another grid; that of the class position stays. */
function interpolatePositions(g: Graph, table: F32, grid: F32, sizes: EncoderSizes, antialias: boolean): F32 {
  const { hiddenSize, hasClassPosition } = sizes;
  const side = patchesPerSide(sizes);
  const ofPatches = hasClassPosition ? slice(g, table, 1, 1, Infinity) : table;
  const square = transpose(g, reshape(g, ofPatches, [1, side, side, hiddenSize]), [0, 3, 1, 2]);
  const flat = reshape(g, resizeBicubicLike(g, square, grid, { antialias }), [1, hiddenSize, -1], 'patches');
  const resized = transpose(g, flat, [0, 2, 1]);
  return hasClassPosition ? concat(g, [slice(g, table, 1, 0, 1), resized], 1) : resized;
}
