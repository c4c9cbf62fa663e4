import { type Attentions, Blip2Error, type PatchFeatures, type PixelValues, type Tensor } from '@blip2/interfaces';
import type { Blip2QFormerModel } from '@blip2/qformer';
import type { Blip2VisionModel } from '@blip2/vision';

/** A value in [0, 1] per patch of one image, row by row from the top left. */
export type AttentionMap = Tensor<'float32', readonly [rows: number, columns: number]>;

/** The parts that take part: `openCheckpointParts` and the whole models have them. */
export interface QueryAttentionParts {
  /** `encode`, and the side of a patch in pixels. */
  readonly vision: {
    readonly config: Pick<Blip2VisionModel['config'], 'patchSize'>;
    encode: Blip2VisionModel['encode'];
  };
  /** One that gives `crossAttentions`, `[1, heads, queries, 1 + patches]` per layer that has them. */
  readonly qformer: { forward: Blip2QFormerModel['forward'] };
}

/** Which attention is shown. */
export interface QueryAttentionOptions {
  /**
   * One of the layers that have cross-attention, counted among these from 0, or the mean over them. Default `'mean'`.
   */
  readonly layer?: number | 'mean';
  /** Accept other sizes than the encoder's. Default false. */
  readonly interpolatePosEncoding?: boolean;
  /** Stops between encoder and Q-Former. */
  readonly signal?: AbortSignal;
}

/** The encoder puts its class position in front of the patches. */
const CLASS_POSITIONS = 1;

/**
 * Where the queries look: the Q-Former's cross-attention to each patch of one image, mean over heads, queries and
 * layers, without the class position, divided by
 * its maximum: `[rows, columns]` in [0, 1]. It shows where attention goes, the same for every question; it does not
 * show why a model said something: patches have
 * read each other in the encoder, and much attention can go to patches in which there is nothing to see.
 *
 * @throws Blip2Error `SHAPE_MISMATCH` for more images than one or a size that the encoder does not take;
 * `INVALID_ARGUMENT` for a layer that there is not.
 */
export async function queryAttention(
  { vision, qformer }: QueryAttentionParts,
  pixelValues: PixelValues,
  options: QueryAttentionOptions = {},
): Promise<AttentionMap> {
  const { layer = 'mean', interpolatePosEncoding = false, signal } = options;
  const [batch, , height, width] = pixelValues.dims;
  if (batch !== 1)
    throw new Blip2Error('SHAPE_MISMATCH', 'A map is of one image', {
      where: 'pixelValues',
      expected: '[1, 3, height, width]',
      got: `[${pixelValues.dims.join(', ')}]`,
    });
  const { patchSize } = vision.config;
  const [rows, columns] = [Math.floor(height / patchSize), Math.floor(width / patchSize)];
  signal?.throwIfAborted();
  const patches = await vision.encode(pixelValues, { interpolatePosEncoding });
  expectGrid(patches, rows, columns);
  signal?.throwIfAborted();
  const { crossAttentions = [] } = await qformer.forward(
    { encoderHiddenStates: patches },
    { outputHiddenStates: false, outputAttentions: true },
  );
  return {
    type: 'float32',
    dims: [rows, columns],
    data: toMaximum(meanOverAll(layersOf(crossAttentions, layer)).subarray(CLASS_POSITIONS)),
  };
}

function expectGrid({ dims: [, positions] }: PatchFeatures, rows: number, columns: number): void {
  if (positions === rows * columns + CLASS_POSITIONS) return;
  throw new Blip2Error('SHAPE_MISMATCH', 'The encoder does not give a class position and one position per patch', {
    expected: `1 + ${rows} x ${columns} positions`,
    got: String(positions),
  });
}

function layersOf(crossAttentions: readonly Attentions[], layer: number | 'mean'): readonly Attentions[] {
  if (layer === 'mean') return crossAttentions;
  const chosen = crossAttentions[layer];
  if (chosen) return [chosen];
  throw new Blip2Error('INVALID_ARGUMENT', 'There is no such layer with cross-attention', {
    where: 'layer',
    expected: `'mean', or 0 to ${crossAttentions.length - 1}`,
    got: String(layer),
  });
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

/** A map of zeros, where all attention went to the class position, stays one. */
function toMaximum(values: Float32Array): Float32Array {
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  return largest === 0 ? values.slice() : values.map((value) => value / largest);
}
