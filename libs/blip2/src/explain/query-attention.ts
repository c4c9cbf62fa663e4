import {
  type Attentions,
  Blip2Error,
  expectFinite,
  expectKnownOptions,
  expectTensor,
  mustBe,
  type PatchFeatures,
  type PixelValues,
  type Tensor,
} from '@blip2/interfaces';
import type { Blip2QFormerModel } from '@blip2/qformer';
import type { CheckpointVisionEncoder } from '@blip2/vision';

import { PIXEL_AXES } from '../pipeline/image-inputs.ts';

/** One value per patch of an image, row by row from the top left, in [0, 1] unless stated otherwise. */
export type AttentionMap = Tensor<'float32', readonly [rows: number, columns: number]>;

/** The required parts, as in `CheckpointParts` and in the whole models. */
export interface QueryAttentionParts {
  /** The encoder, and the side of its patches in pixels. */
  readonly vision: {
    readonly config: Pick<CheckpointVisionEncoder['config'], 'patchSize'>;
    encode: CheckpointVisionEncoder['encode'];
  };
  /** Must return `crossAttentions`, `[1, heads, queries, positions]` per layer with cross-attention. */
  readonly qformer: { forward: Blip2QFormerModel['forward'] };
}

/** Which attention to show. */
export interface QueryAttentionOptions {
  /** Index among the layers with cross-attention, from 0, or the mean over them. Default: `'mean'`. */
  readonly layer?: number | 'mean';
  /** Accept images of another size than the encoder's. Default: false. */
  readonly interpolatePosEncoding?: boolean;
  /** Aborts between encoder and Q-Former. */
  readonly signal?: AbortSignal;
}

/**
 * The cross-attention of the Q-Former to each patch of one image: mean over heads, queries and layers, without the
 * class
 * position, divided by its maximum, `[rows, columns]` in [0, 1]. It is the same for every question and does not explain
 * an answer: patches have already exchanged information in the encoder, and patches of empty background can receive
 * much
 * attention.
 * @throws Blip2Error `SHAPE_MISMATCH` for more than one image, or for a size that the encoder does not accept;
 * `INVALID_ARGUMENT` for a layer that does not exist; `NOT_FINITE`.
 */
export async function queryAttention(
  parts: QueryAttentionParts,
  pixelValues: PixelValues,
  options: QueryAttentionOptions = {},
): Promise<AttentionMap> {
  if (typeof parts !== 'object' || (parts as object | null) === null)
    throw mustBe('parts', 'an object with vision and qformer', parts);
  const { vision, qformer } = parts;
  expectKnownOptions('queryAttention', options, ['layer', 'interpolatePosEncoding', 'signal']);
  expectTensor('pixelValues', pixelValues, PIXEL_AXES);
  const { layer = 'mean', interpolatePosEncoding = false, signal } = options;
  const [batch, , height, width] = pixelValues.dims;
  if (batch !== 1) throw notOneImage(pixelValues);
  const { patchSize } = vision.config;
  const [rows, columns] = [Math.floor(height / patchSize), Math.floor(width / patchSize)];
  signal?.throwIfAborted();
  const patches = expectFinite('vision encoder', await vision.encode(pixelValues, { interpolatePosEncoding }));
  const classPositions = positionsBeforeGrid(patches, rows, columns);
  signal?.throwIfAborted();
  const { crossAttentions = [] } = await qformer.forward(
    { encoderHiddenStates: patches },
    { outputHiddenStates: false, outputAttentions: true },
  );
  return {
    type: 'float32',
    dims: [rows, columns],
    data: toMaximum(
      meanOverAll(layersOf(crossAttentions, layer).map((map) => expectFinite('Q-Former', map))).subarray(
        classPositions,
      ),
    ),
  };
}

/** The error for a batch of another number of images than 1. */
export function notOneImage({ dims }: PixelValues): Blip2Error {
  return new Blip2Error('SHAPE_MISMATCH', 'pixelValues must be one image', {
    argument: 'pixelValues',
    expected: '[1, 3, height, width]',
    got: `[${dims.join(', ')}]`,
  });
}

/** 1 if a class position precedes the patches, 0 if there is none, as in SigLIP. */
function positionsBeforeGrid({ dims: [, positions] }: PatchFeatures, rows: number, columns: number): 0 | 1 {
  const before = positions - rows * columns;
  if (before === 0 || before === 1) return before;
  throw new Blip2Error('SHAPE_MISMATCH', 'The encoder must return one position per patch, after at most one other', {
    expected: `${rows} x ${columns} positions, or one more`,
    got: String(positions),
  });
}

function layersOf(crossAttentions: readonly Attentions[], layer: number | 'mean'): readonly Attentions[] {
  if (layer === 'mean') return crossAttentions;
  const chosen = crossAttentions[layer];
  if (chosen) return [chosen];
  throw mustBe('layer', `'mean' or a layer with cross-attention, 0 to ${crossAttentions.length - 1}`, layer);
}

/** Layers of `[1, heads, queries, positions]` → `[positions]`. */
function meanOverAll(layers: readonly Attentions[]): Float32Array {
  const positions = layers[0]?.dims[3] ?? 0;
  const sums = new Float64Array(positions);
  let count = 0;
  for (const { data } of layers) {
    for (let start = 0; start < data.length; start += positions, count++) {
      for (let position = 0; position < positions; position++) sums[position]! += data[start + position]!;
    }
  }
  return Float32Array.from(sums, (sum) => sum / count);
}

/** Divides by the maximum; a map of zeros, with all attention on the class position, stays zero. */
function toMaximum(values: Float32Array): Float32Array {
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  return largest === 0 ? values.slice() : values.map((value) => value / largest);
}
