/**
 * The Querying Transformer of BLIP-2: a post-norm BERT. In every `crossAttentionFrequency`-th layer, the queries also
 * attend to image patches.
 * Paper: arXiv 2301.12597, section 3.1; HF class `Blip2QFormerModel`; checkpoint path `qformer`.
 */
import type { Blip2QFormerConfig } from '@blip2/config';
import { type Axis, f32, i64, type TensorSpec } from '@blip2/interfaces';
import {
  buildGraph,
  type F32,
  firstPosition,
  gather,
  type Graph,
  type GraphInputs,
  layeredSpecs,
  layeredValues,
  layerNorm,
  type RecordedWeight,
  recordWeights,
  type WeightFinder,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { type LayerContext, qformerLayer } from './qformer-layer.ts';
import { PLAIN_REQUEST, type QFormerRequest } from './qformer-request.ts';

type FloatSpec = TensorSpec<'float32'>;
type PastName = `past_${'key' | 'value'}.${number}`;

export interface QFormerSignature {
  readonly inputs: {
    readonly query_embeds: TensorSpec<'float32', readonly ['batch', 'positions', number]>;
    readonly encoder_hidden_states?: FloatSpec;
    readonly attention_bias?: FloatSpec;
    readonly encoder_attention_bias?: FloatSpec;
    readonly head_mask?: FloatSpec;
    /** Rows of the relative position embeddings, for self- and cross-attention. */
    readonly distances?: TensorSpec<'int64'>;
    readonly image_distances?: TensorSpec<'int64'>;
  } & Readonly<Record<PastName, FloatSpec>>;
  readonly outputs: {
    readonly last_hidden_state: TensorSpec<'float32', readonly ['batch', 'positions', number]>;
    readonly pooler_output: TensorSpec<'float32', readonly ['batch', number]>;
  } & Readonly<Record<string, TensorSpec<'float32'>>>;
}

/** Layers in which queries attend to the image. */
export function crossAttentionLayers({ numHiddenLayers, crossAttentionFrequency }: Blip2QFormerConfig): number[] {
  return Array.from({ length: numHiddenLayers }, (_, layer) => layer).filter(
    (layer) => layer % crossAttentionFrequency === 0,
  );
}

/** Whether attention uses relative positions (up to transformers 4.57). */
export function hasRelativePositions({ positionEmbeddingType }: Blip2QFormerConfig): boolean {
  return positionEmbeddingType !== 'absolute';
}

export function qformerSignature(config: Blip2QFormerConfig, request: QFormerRequest): QFormerSignature {
  const { hiddenSize, numHiddenLayers, numAttentionHeads } = config;
  const { queryLength, hiddenStates, attentions, keyValues, past } = request;
  const states = f32('batch', 'positions', hiddenSize);
  const keys = past ? 'past+positions' : 'positions';
  const cross = queryLength === 0 ? 0 : crossAttentionLayers(config).length;
  const present = f32('batch', numAttentionHeads, keys, hiddenSize / numAttentionHeads);
  return {
    inputs: signatureInputs(config, request, keys),
    outputs: {
      last_hidden_state: states,
      pooler_output: f32('batch', hiddenSize),
      ...(hiddenStates && layeredSpecs('hidden_states', numHiddenLayers + 1, states)),
      ...(attentions &&
        layeredSpecs('attentions', numHiddenLayers, f32('batch', numAttentionHeads, 'positions', keys))),
      ...(attentions &&
        layeredSpecs('cross_attentions', cross, f32('batch', numAttentionHeads, queryAxis(queryLength), 'patches'))),
      ...(keyValues && {
        ...layeredSpecs('key', numHiddenLayers, present),
        ...layeredSpecs('value', numHiddenLayers, present),
      }),
    },
  };
}

function queryAxis(queryLength: QFormerRequest['queryLength']): Axis {
  return queryLength === 'all' ? 'positions' : queryLength;
}

function signatureInputs(
  config: Blip2QFormerConfig,
  { queryLength, masked, encoderMasked, headMasked, past }: QFormerRequest,
  keys: string,
): QFormerSignature['inputs'] {
  const { hiddenSize, encoderHiddenSize, numHiddenLayers, numAttentionHeads } = config;
  const hasQueries = queryLength !== 0;
  const relative = hasRelativePositions(config);
  const held = f32('batch', numAttentionHeads, 'past', hiddenSize / numAttentionHeads);
  return {
    query_embeds: f32('batch', 'positions', hiddenSize),
    ...(hasQueries && { encoder_hidden_states: f32('batch', 'patches', encoderHiddenSize) }),
    ...(masked && { attention_bias: f32('batch', 1, masked === 'pairs' ? 'positions' : 1, keys) }),
    ...(hasQueries && encoderMasked && { encoder_attention_bias: f32('batch', 1, 1, 'patches') }),
    ...(headMasked && { head_mask: f32(numHiddenLayers, numAttentionHeads, 1, 1) }),
    ...(relative && { distances: i64('positions', keys) }),
    ...(relative && hasQueries && { image_distances: i64(queryAxis(queryLength), 'patches') }),
    ...(past && {
      ...layeredSpecs('past_key', numHiddenLayers, held),
      ...layeredSpecs('past_value', numHiddenLayers, held),
    }),
  };
}

export function buildQFormer(
  config: Blip2QFormerConfig,
  weights: WeightSource,
  prefix: string,
  request: QFormerRequest,
): WrittenModel<QFormerSignature> {
  return buildGraph(
    { name: 'qformer', signature: qformerSignature(config, request), weights, prefix },
    (g, inputs, root) => {
      let x = layerNorm(g, inputs.query_embeds, root.at(request.norm ?? 'layernorm'), { epsilon: config.layerNormEps });
      const hiddenStates = [x];
      const layers = Array.from({ length: config.numHiddenLayers }, (_, layer) => {
        const output = qformerLayer(
          g,
          x,
          root.at(`encoder.layer.${layer}`),
          config,
          request,
          layerContext(g, inputs, request, layer, layer % config.crossAttentionFrequency === 0),
        );
        x = output.states;
        hiddenStates.push(x);
        return output;
      });
      const kept = (pick: (layer: (typeof layers)[number]) => F32 | undefined): F32[] =>
        layers.flatMap((layer) => pick(layer) ?? []);
      return {
        last_hidden_state: x,
        pooler_output: firstPosition(g, x),
        ...(request.hiddenStates && layeredValues('hidden_states', hiddenStates)),
        ...layeredValues(
          'attentions',
          kept(({ probabilities }) => probabilities),
        ),
        ...layeredValues(
          'cross_attentions',
          kept(({ crossProbabilities }) => crossProbabilities),
        ),
        ...layeredValues(
          'key',
          kept(({ keyValue }) => keyValue?.key),
        ),
        ...layeredValues(
          'value',
          kept(({ keyValue }) => keyValue?.value),
        ),
      };
    },
  );
}

/** The inputs of one layer in addition to its hidden states. The image is absent without cross-attention. */
function layerContext(
  g: Graph,
  inputs: GraphInputs<QFormerSignature>,
  { past }: QFormerRequest,
  layer: number,
  crosses: boolean,
): LayerContext {
  const [key, value] = [inputs[`past_key.${layer}`], inputs[`past_value.${layer}`]];
  return {
    image: crosses ? inputs.encoder_hidden_states : undefined,
    bias: inputs.attention_bias,
    imageBias: inputs.encoder_attention_bias,
    headMask: inputs.head_mask && gather(g, inputs.head_mask, g.constant('int64', [], [layer]), 0),
    distances: inputs.distances,
    imageDistances: inputs.image_distances,
    past: past && key && value ? { key, value } : undefined,
  };
}

export interface QFormerContent {
  /** Path of the first norm. */
  readonly norm?: string;
  /** Whether to include the layers for text. Default: `useQformerTextInput` of the configuration. */
  readonly text?: boolean;
}

/** Builds a graph that uses every tensor of the Q-Former. */
export function buildWholeQFormer(
  config: Blip2QFormerConfig,
  weights: WeightFinder,
  prefix: string,
  { norm, text = config.useQformerTextInput }: QFormerContent = {},
): void {
  buildQFormer(config, weights, prefix, {
    ...PLAIN_REQUEST,
    queryLength: text ? 1 : 'all',
    ...(norm !== undefined && { norm }),
  });
}

/** Every tensor of the Q-Former's checkpoint, by name and shape. */
export function qformerTensors(config: Blip2QFormerConfig, prefix: string, content?: QFormerContent): RecordedWeight[] {
  return recordWeights((weights) => buildWholeQFormer(config, weights, prefix, content));
}
