/**
 * The Querying Transformer of BLIP-2: a post-norm BERT whose queries also attend to image patches in every `crossAttentionFrequency`-th layer.
 * Paper: arXiv 2301.12597, section 3.1; reference class `Blip2QFormerModel`; checkpoint path `qformer`.
 */
import type { Blip2QFormerConfig } from '@blip2/config';
import { f32, type Axis, type TensorSpec, type WeightStore } from '@blip2/interfaces';
import {
  activation, add, attention, buildGraph, concat, gather, layeredSpecs, layeredValues, layerNorm, linear, slice,
  recordWeights, type Graph, type RecordedWeight, type Value, type WeightFinder, type Weights, type WrittenModel,
} from '@blip2/onnx';

type F32 = Value<'float32'>;

/** What a graph is given beside its positions, and asked for beside its final states. */
export interface QFormerRequest {
  /** How many of the positions are queries: all of them, none, or the first so many (text follows). */
  readonly queryLength: 'all' | number;
  readonly hiddenStates: boolean;
  readonly attentions: boolean;
  /** An attention mask over the positions, and one over the image, are inputs. */
  readonly masked: boolean;
  readonly encoderMasked: boolean;
}

export interface QFormerSignature {
  readonly inputs: { readonly query_embeds: TensorSpec<'float32', readonly ['batch', 'positions', number]> } & Readonly<Record<string, TensorSpec<'float32'>>>;
  readonly outputs: {
    readonly last_hidden_state: TensorSpec<'float32', readonly ['batch', 'positions', number]>;
    readonly pooler_output: TensorSpec<'float32', readonly ['batch', number]>;
  } & Readonly<Record<string, TensorSpec<'float32'>>>;
}

/** Layers in which queries attend to the image. */
export function crossAttentionLayers({ numHiddenLayers, crossAttentionFrequency }: Blip2QFormerConfig): number[] {
  return Array.from({ length: numHiddenLayers }, (_, layer) => layer).filter((layer) => layer % crossAttentionFrequency === 0);
}

export function qformerSignature(config: Blip2QFormerConfig, { queryLength, hiddenStates, attentions, masked, encoderMasked }: QFormerRequest): QFormerSignature {
  const { hiddenSize, encoderHiddenSize, numHiddenLayers, numAttentionHeads } = config;
  const states = f32('batch', 'positions', hiddenSize);
  const hasQueries = queryLength !== 0;
  const queries: Axis = queryLength === 'all' ? 'positions' : queryLength;
  return {
    inputs: {
      query_embeds: states,
      ...(hasQueries && { encoder_hidden_states: f32('batch', 'patches', encoderHiddenSize) }),
      ...(masked && { attention_bias: f32('batch', 1, 1, 'positions') }),
      ...(hasQueries && encoderMasked && { encoder_attention_bias: f32('batch', 1, 1, 'patches') }),
    },
    outputs: {
      last_hidden_state: states,
      pooler_output: f32('batch', hiddenSize),
      ...(hiddenStates && layeredSpecs('hidden_states', numHiddenLayers + 1, states)),
      ...(attentions && layeredSpecs('attentions', numHiddenLayers, f32('batch', numAttentionHeads, 'positions', 'positions'))),
      ...(attentions && hasQueries && layeredSpecs('cross_attentions', crossAttentionLayers(config).length, f32('batch', numAttentionHeads, queries, 'patches'))),
    },
  };
}

/** What every layer reads beside the states. */
interface Context {
  readonly image: F32 | undefined;
  readonly bias: F32 | undefined;
  readonly imageBias: F32 | undefined;
}

export function buildQFormer(config: Blip2QFormerConfig, weights: WeightStore | WeightFinder, prefix: string, request: QFormerRequest): WrittenModel<QFormerSignature> {
  return buildGraph({ name: 'qformer', signature: qformerSignature(config, request), weights, prefix }, (g, inputs, root) => {
    const context: Context = { image: inputs['encoder_hidden_states'], bias: inputs['attention_bias'], imageBias: inputs['encoder_attention_bias'] };
    let x = layerNorm(g, inputs.query_embeds, root.at('layernorm'), { epsilon: config.layerNormEps });
    const hiddenStates = [x];
    const attentions: F32[] = [];
    const crossAttentions: F32[] = [];
    for (let layer = 0; layer < config.numHiddenLayers; layer++) {
      const output = qformerLayer(g, x, root.at(`encoder.layer.${layer}`), config, request, layer, context);
      x = output.states;
      hiddenStates.push(x);
      if (output.probabilities) attentions.push(output.probabilities);
      if (output.crossProbabilities) crossAttentions.push(output.crossProbabilities);
    }
    return {
      last_hidden_state: x,
      pooler_output: gather(g, x, g.constant('int64', [], [0]), 1),
      ...(request.hiddenStates && layeredValues('hidden_states', hiddenStates)),
      ...(request.attentions && { ...layeredValues('attentions', attentions), ...layeredValues('cross_attentions', crossAttentions) }),
    };
  });
}

/** Every tensor of the Q-Former's checkpoint, by name and shape. */
export function qformerTensors(config: Blip2QFormerConfig, prefix: string): RecordedWeight[] {
  const request = { queryLength: config.useQformerTextInput ? 1 : 'all', hiddenStates: false, attentions: false, masked: false, encoderMasked: false } as const;
  return recordWeights((weights) => void buildQFormer(config, weights, prefix, request));
}

interface LayerOutput {
  readonly states: F32;
  readonly probabilities: F32 | undefined;
  readonly crossProbabilities: F32 | undefined;
}

/** Self-attention over all positions; then queries read the image and have a feed-forward of their own, text has the plain one. */
function qformerLayer(
  g: Graph, x: F32, weights: Weights, config: Blip2QFormerConfig, { queryLength, attentions }: QFormerRequest, layer: number, { image, bias, imageBias }: Context,
): LayerOutput {
  return g.scope(weights.path, () => {
    const self = attentionBlock(g, x, weights.at('attention'), config, { source: x, sourceSize: config.hiddenSize, bias, attentions });
    const { probabilities } = self;
    if (queryLength === 0) return { states: feedForward(g, self.states, weights, config, ''), probabilities, crossProbabilities: undefined };

    let queries = queryLength === 'all' ? self.states : slice(g, self.states, 1, 0, queryLength);
    let crossProbabilities: F32 | undefined;
    if (image && layer % config.crossAttentionFrequency === 0) {
      const cross = attentionBlock(g, queries, weights.at('crossattention'), config, { source: image, sourceSize: config.encoderHiddenSize, bias: imageBias, attentions });
      queries = cross.states;
      crossProbabilities = cross.probabilities;
    }
    const states = feedForward(g, queries, weights, config, '_query');
    if (queryLength === 'all') return { states, probabilities, crossProbabilities };

    const text = feedForward(g, slice(g, self.states, 1, queryLength, Infinity), weights, config, '');
    return { states: { ...concat(g, [states, text], 1), axes: x.axes }, probabilities, crossProbabilities };
  });
}

interface AttentionBlockOptions {
  /** What is attended to, and its width. */
  readonly source: F32;
  readonly sourceSize: number;
  readonly bias: F32 | undefined;
  readonly attentions: boolean;
}

/** `norm(dense(attention(x, source)) + x)`. */
function attentionBlock(g: Graph, x: F32, weights: Weights, config: Blip2QFormerConfig, { source, sourceSize, bias, attentions }: AttentionBlockOptions): { states: F32; probabilities: F32 | undefined } {
  const { hiddenSize, numAttentionHeads } = config;
  const inner = weights.at('attention');
  const query = linear(g, x, inner.at('query'), { inFeatures: hiddenSize, outFeatures: hiddenSize, bias: true });
  const key = linear(g, source, inner.at('key'), { inFeatures: sourceSize, outFeatures: hiddenSize, bias: true });
  const value = linear(g, source, inner.at('value'), { inFeatures: sourceSize, outFeatures: hiddenSize, bias: true });
  // The fused operator takes no mask that is spread over the query positions.
  const options = { numHeads: numAttentionHeads, probabilities: attentions || bias !== undefined };
  const { context, probabilities } = attention(g, { query, key, value, ...(bias && { bias }) }, options);
  const dense = linear(g, context, weights.at('output.dense'), { inFeatures: hiddenSize, outFeatures: hiddenSize, bias: true });
  const states = layerNorm(g, add(g, dense, x), weights.at('output.LayerNorm'), { epsilon: config.layerNormEps });
  return { states, probabilities: attentions ? probabilities : undefined };
}

/** `norm(output(act(intermediate(x))) + x)`, with the weights of queries (`_query`) or of text (no suffix). */
function feedForward(g: Graph, x: F32, weights: Weights, config: Blip2QFormerConfig, suffix: '' | '_query'): F32 {
  const { hiddenSize, intermediateSize, hiddenAct, layerNormEps: epsilon } = config;
  const wide = linear(g, x, weights.at(`intermediate${suffix}.dense`), { inFeatures: hiddenSize, outFeatures: intermediateSize, bias: true });
  const output = weights.at(`output${suffix}`);
  const narrow = linear(g, activation(g, wide, hiddenAct), output.at('dense'), { inFeatures: intermediateSize, outFeatures: hiddenSize, bias: true });
  return layerNorm(g, add(g, narrow, x), output.at('LayerNorm'), { epsilon });
}
