/**
 * The image encoder of BLIP-2: a pre-norm vision transformer (EVA-CLIP ViT-g in the stock checkpoints).
 * Paper: arXiv 2301.12597, section 3; reference class `Blip2VisionModel`; checkpoint path `vision_model`.
 */
import type { Blip2VisionConfig } from '@blip2/config';
import { type Axis, f32, type TensorSpec, type WeightStore } from '@blip2/interfaces';
import {
  activation,
  add,
  attention,
  buildGraph,
  concat,
  expandBatch,
  gather,
  type Graph,
  layeredSpecs,
  layeredValues,
  layerNorm,
  linear,
  patchConv,
  type RecordedWeight,
  recordWeights,
  reshape,
  resizeBicubicLike,
  slice,
  splitLast,
  transpose,
  type Value,
  type WeightFinder,
  type Weights,
  type WrittenModel,
} from '@blip2/onnx';

type F32 = Value<'float32'>;
/** Images are red, green and blue. */
export const NUM_CHANNELS = 3;

/** What a graph is asked for beside its final states. */
export interface VisionRequest {
  readonly hiddenStates: boolean;
  readonly attentions: boolean;
  readonly interpolatePosEncoding: boolean;
}

export interface VisionSignature {
  readonly inputs: { readonly pixel_values: TensorSpec<'float32', readonly ['batch', number, Axis, Axis]> };
  readonly outputs: {
    readonly last_hidden_state: TensorSpec<'float32', readonly ['batch', Axis, number]>;
    readonly pooler_output: TensorSpec<'float32', readonly ['batch', number]>;
  } & Readonly<Record<string, TensorSpec<'float32'>>>;
}

export function visionSignature(
  config: Blip2VisionConfig,
  { hiddenStates, attentions, interpolatePosEncoding }: VisionRequest,
): VisionSignature {
  const { hiddenSize, imageSize, patchSize, numHiddenLayers, numAttentionHeads } = config;
  const positions = interpolatePosEncoding ? '1+patches' : 1 + Math.floor(imageSize / patchSize) ** 2;
  const states = f32('batch', positions, hiddenSize);
  return {
    inputs: {
      pixel_values: interpolatePosEncoding
        ? f32('batch', NUM_CHANNELS, 'height', 'width')
        : f32('batch', NUM_CHANNELS, imageSize, imageSize),
    },
    outputs: {
      last_hidden_state: states,
      pooler_output: f32('batch', hiddenSize),
      ...(hiddenStates && layeredSpecs('hidden_states', numHiddenLayers + 1, states)),
      ...(attentions &&
        layeredSpecs('attentions', numHiddenLayers, f32('batch', numAttentionHeads, positions, positions))),
    },
  };
}

export function buildVisionModel(
  config: Blip2VisionConfig,
  weights: WeightStore | WeightFinder,
  prefix: string,
  request: VisionRequest,
): WrittenModel<VisionSignature> {
  const signature = visionSignature(config, request);
  return buildGraph({ name: 'vision_model', signature, weights, prefix }, (g, { pixel_values }, root) => {
    const norm = (x: F32): F32 => layerNorm(g, x, root.at('post_layernorm'), { epsilon: config.layerNormEps });
    let x = visionEmbeddings(g, pixel_values, root.at('embeddings'), config, request);
    const hiddenStates = [x];
    const attentions: F32[] = [];
    for (let layer = 0; layer < config.numHiddenLayers; layer++) {
      const block = encoderLayer(g, x, root.at(`encoder.layers.${layer}`), config, request);
      x = block.states;
      hiddenStates.push(x);
      if (block.probabilities) attentions.push(block.probabilities);
    }
    const lastHiddenState = norm(x);
    // The reference norms position 0 a second time.
    const pooled = norm(gather(g, lastHiddenState, g.constant('int64', [], [0]), 1));
    return {
      last_hidden_state: lastHiddenState,
      pooler_output: pooled,
      ...(request.hiddenStates && layeredValues('hidden_states', hiddenStates)),
      ...(request.attentions && layeredValues('attentions', attentions)),
    };
  });
}

/** Every tensor of the encoder's checkpoint, by name and shape. */
export function visionTensors(config: Blip2VisionConfig, prefix: string): RecordedWeight[] {
  const request = { hiddenStates: false, attentions: false, interpolatePosEncoding: false };
  return recordWeights((weights) => void buildVisionModel(config, weights, prefix, request));
}

/**
 * `[batch, 3, height, width] → [batch, 1 + patches, hidden]`: one vector per patch after the class vector, plus
 * positions.
 */
function visionEmbeddings(
  g: Graph,
  pixelValues: F32,
  weights: Weights,
  config: Blip2VisionConfig,
  { interpolatePosEncoding }: VisionRequest,
): F32 {
  const { hiddenSize, patchSize, imageSize } = config;
  const side = Math.floor(imageSize / patchSize);
  return g.scope(weights.path, () => {
    const patch = weights.at('patch_embedding');
    const grid = patchConv(g, pixelValues, {
      weight: patch.get('weight', [hiddenSize, NUM_CHANNELS, patchSize, patchSize]),
      bias: patch.get('bias', [hiddenSize]),
    });
    const patches = transpose(
      g,
      reshape(g, grid, [0, hiddenSize, -1], interpolatePosEncoding ? 'patches' : undefined),
      [0, 2, 1],
    );
    const classVector = expandBatch(g, weights.get('class_embedding', [1, 1, hiddenSize]), patches);
    const table = weights.get('position_embedding', [1, 1 + side * side, hiddenSize]);
    const positions = interpolatePosEncoding ? interpolatePositions(g, table, grid, config) : table;
    return add(g, concat(g, [classVector, patches], 1), positions);
  });
}

/** The table of positions `[1, 1 + side², hidden]` resized to another grid; the class row stays. */
export function interpolatePositions(
  g: Graph,
  table: F32,
  grid: F32,
  { hiddenSize: hidden, imageSize, patchSize }: Pick<Blip2VisionConfig, 'hiddenSize' | 'imageSize' | 'patchSize'>,
): F32 {
  const side = Math.floor(imageSize / patchSize);
  const square = transpose(g, reshape(g, slice(g, table, 1, 1, Infinity), [1, side, side, hidden]), [0, 3, 1, 2]);
  const resized = transpose(g, reshape(g, resizeBicubicLike(g, square, grid), [1, hidden, -1], 'patches'), [0, 2, 1]);
  return concat(g, [slice(g, table, 1, 0, 1), resized], 1);
}

interface LayerOutput {
  readonly states: F32;
  readonly probabilities: F32 | undefined;
}

/** `x += attention(norm1(x)); x += mlp(norm2(x))`. */
function encoderLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: Blip2VisionConfig,
  { attentions }: VisionRequest,
): LayerOutput {
  const { hiddenSize, intermediateSize, numAttentionHeads, layerNormEps: epsilon, hiddenAct, qkvBias } = config;
  return g.scope(weights.path, () => {
    const self = weights.at('self_attn');
    const normed = layerNorm(g, x, weights.at('layer_norm1'), { epsilon });
    const qkv = linear(g, normed, self.at('qkv'), {
      inFeatures: hiddenSize,
      outFeatures: 3 * hiddenSize,
      bias: qkvBias,
    });
    const [query, key, value] = splitLast(g, qkv, 3) as [F32, F32, F32];
    const { context, probabilities } = attention(
      g,
      { query, key, value },
      { numHeads: numAttentionHeads, probabilities: attentions },
    );
    const attended = add(
      g,
      x,
      linear(g, context, self.at('projection'), { inFeatures: hiddenSize, outFeatures: hiddenSize, bias: true }),
    );
    const mlp = weights.at('mlp');
    const wide = linear(g, layerNorm(g, attended, weights.at('layer_norm2'), { epsilon }), mlp.at('fc1'), {
      inFeatures: hiddenSize,
      outFeatures: intermediateSize,
      bias: true,
    });
    const narrow = linear(g, activation(g, wide, hiddenAct), mlp.at('fc2'), {
      inFeatures: intermediateSize,
      outFeatures: hiddenSize,
      bias: true,
    });
    return { states: add(g, attended, narrow), probabilities };
  });
}
