/**
 * The image encoder of CLIP: a pre-norm vision transformer with one more norm after its embeddings.
 * Paper: arXiv 2103.00020; reference class `CLIPVisionModel`; checkpoint path `vision_model`.
 */
import type { ClipVisionConfig } from '@blip2/config';
import { f32, type TensorSpec, type WeightStore } from '@blip2/interfaces';
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
  transpose,
  type Value,
  type WeightFinder,
  type Weights,
  type WrittenModel,
} from '@blip2/onnx';

import { interpolatePositions, type VisionRequest, type VisionSignature } from '../blip2/blip2-vision-graph.ts';

type F32 = Value<'float32'>;

/** What a graph is asked for beside its states. */
export interface ClipVisionRequest extends VisionRequest {
  /** How many layers run. */
  readonly layers: number;
  /** Also the normed class position, which is trained behind the last layer only. */
  readonly pooled: boolean;
}

export interface ClipVisionSignature extends Pick<VisionSignature, 'inputs'> {
  readonly outputs: { readonly last_hidden_state: VisionSignature['outputs']['last_hidden_state'] } & Readonly<
    Record<string, TensorSpec<'float32'>>
  >;
}

export function clipVisionSignature(
  config: ClipVisionConfig,
  { layers, pooled, hiddenStates, attentions, interpolatePosEncoding }: ClipVisionRequest,
): ClipVisionSignature {
  const { hiddenSize, imageSize, patchSize, numAttentionHeads, numChannels } = config;
  const positions = interpolatePosEncoding ? '1+patches' : 1 + Math.floor(imageSize / patchSize) ** 2;
  const states = f32('batch', positions, hiddenSize);
  return {
    inputs: {
      pixel_values: interpolatePosEncoding
        ? f32('batch', numChannels, 'height', 'width')
        : f32('batch', numChannels, imageSize, imageSize),
    },
    outputs: {
      last_hidden_state: states,
      ...(pooled && { pooler_output: f32('batch', hiddenSize) }),
      ...(hiddenStates && layeredSpecs('hidden_states', layers + 1, states)),
      ...(attentions && layeredSpecs('attentions', layers, f32('batch', numAttentionHeads, positions, positions))),
    },
  };
}

export function buildClipVisionModel(
  config: ClipVisionConfig,
  weights: WeightStore | WeightFinder,
  prefix: string,
  request: ClipVisionRequest,
): WrittenModel<ClipVisionSignature> {
  const signature = clipVisionSignature(config, request);
  const epsilon = config.layerNormEps;
  return buildGraph({ name: 'clip_vision_model', signature, weights, prefix }, (g, { pixel_values }, root) => {
    // The checkpoint's own spelling.
    let x = layerNorm(
      g,
      clipEmbeddings(g, pixel_values, root.at('embeddings'), config, request),
      root.at('pre_layrnorm'),
      { epsilon },
    );
    const hiddenStates = [x];
    const attentions: F32[] = [];
    for (let layer = 0; layer < request.layers; layer++) {
      const { states, probabilities } = clipLayer(g, x, root.at(`encoder.layers.${layer}`), config, request);
      x = states;
      hiddenStates.push(x);
      if (probabilities) attentions.push(probabilities);
    }
    return {
      last_hidden_state: x,
      ...(request.pooled && {
        pooler_output: layerNorm(g, gather(g, x, g.constant('int64', [], [0]), 1), root.at('post_layernorm'), {
          epsilon,
        }),
      }),
      ...(request.hiddenStates && layeredValues('hidden_states', hiddenStates)),
      ...(request.attentions && layeredValues('attentions', attentions)),
    };
  });
}

/** Every tensor of the encoder's checkpoint, by name and shape. */
export function clipVisionTensors(config: ClipVisionConfig, prefix: string): RecordedWeight[] {
  const request = {
    layers: config.numHiddenLayers,
    pooled: true,
    hiddenStates: false,
    attentions: false,
    interpolatePosEncoding: false,
  };
  return recordWeights((weights) => void buildClipVisionModel(config, weights, prefix, request));
}

/**
 * `[batch, channels, height, width] → [batch, 1 + patches, hidden]`: one vector per patch after the class vector, plus
 * positions.
 */
function clipEmbeddings(
  g: Graph,
  pixelValues: F32,
  weights: Weights,
  config: ClipVisionConfig,
  { interpolatePosEncoding }: ClipVisionRequest,
): F32 {
  const { hiddenSize, patchSize, imageSize, numChannels } = config;
  const rows = 1 + Math.floor(imageSize / patchSize) ** 2;
  return g.scope(weights.path, () => {
    const grid = patchConv(g, pixelValues, {
      weight: weights.get('patch_embedding.weight', [hiddenSize, numChannels, patchSize, patchSize]),
    });
    const patches = transpose(
      g,
      reshape(g, grid, [0, hiddenSize, -1], interpolatePosEncoding ? 'patches' : undefined),
      [0, 2, 1],
    );
    const classVector = reshape(g, weights.get('class_embedding', [hiddenSize]), [1, 1, hiddenSize]);
    const table = reshape(g, weights.get('position_embedding.weight', [rows, hiddenSize]), [1, rows, hiddenSize]);
    const positions = interpolatePosEncoding ? interpolatePositions(g, table, grid, config) : table;
    return add(g, concat(g, [expandBatch(g, classVector, patches), patches], 1), positions);
  });
}

interface LayerOutput {
  readonly states: F32;
  readonly probabilities: F32 | undefined;
}

/** `x += out(attention(norm1(x))); x += fc2(act(fc1(norm2(x))))`. */
function clipLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: ClipVisionConfig,
  { attentions }: ClipVisionRequest,
): LayerOutput {
  const { hiddenSize, intermediateSize, numAttentionHeads: numHeads, layerNormEps: epsilon, hiddenAct } = config;
  const project = (value: F32, name: string, inFeatures: number, outFeatures: number): F32 =>
    linear(g, value, weights.at(name), { inFeatures, outFeatures, bias: true });
  return g.scope(weights.path, () => {
    const normed = layerNorm(g, x, weights.at('layer_norm1'), { epsilon });
    const [query, key, value] = (['q', 'k', 'v'] as const).map((name) =>
      project(normed, `self_attn.${name}_proj`, hiddenSize, hiddenSize),
    ) as [F32, F32, F32];
    const { context, probabilities } = attention(g, { query, key, value }, { numHeads, probabilities: attentions });
    const attended = add(g, x, project(context, 'self_attn.out_proj', hiddenSize, hiddenSize));
    const wide = activation(
      g,
      project(layerNorm(g, attended, weights.at('layer_norm2'), { epsilon }), 'mlp.fc1', hiddenSize, intermediateSize),
      hiddenAct,
    );
    return { states: add(g, attended, project(wide, 'mlp.fc2', intermediateSize, hiddenSize)), probabilities };
  });
}
