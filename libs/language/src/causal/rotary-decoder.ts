/**
 * Decoders with rotary positions, RMS norms and a gated feed-forward: Llama (arXiv 2302.13971) and the families that
 * differ from it in biases, norms of heads, joined projections and windows.
 */
import type { RotaryDecoderConfig, WindowedLayers } from '@blip2/config';
import {
  activation,
  add,
  buildGraph,
  type F32,
  type Graph,
  linear,
  mul,
  reshape,
  rmsNorm,
  rotaryEmbedding,
  type Rotations,
  scale,
  slice,
  type Weights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import type { DecoderLayerOutput } from '../decoder-outputs.ts';
import { languageModelHead, tokenEmbedding } from '../tied-embedding.ts';
import { buildTokenEmbedding, type EmbeddingSignature } from '../token-embedding-graph.ts';
import { causalDecoder, type CausalLayerContext } from './causal-decoder.ts';
import { type CausalRequest, causalSignature, type CausalSizes } from './causal-signature.ts';
import { groupedAttention } from './grouped-attention.ts';
import {
  type RotarySignature,
  rotarySignature,
  rotationsOf,
  windowRotarySignature,
  windowRotationsOf,
} from './rotary-inputs.ts';
import { isWindowed, windowBias, windowSignature } from './window.ts';

/** Path of the token embedding. */
export const ROTARY_TOKEN_EMBEDDING = 'model.embed_tokens';

/** Configurations of the kind, with or without windows. */
export type RotaryConfigOf = RotaryDecoderConfig &
  Partial<WindowedLayers> & { readonly slidingWindow?: number | undefined };

/** How a family differs from the others. */
export interface RotaryDecoderLayout {
  /** Prefix of the names of the graphs. */
  readonly name: string;
  readonly queryKeyValueBias?: boolean;
  readonly outputBias?: boolean;
  readonly mlpBias?: boolean;
  /** Queries and keys are normalized head by head before their rotation. */
  readonly headNorms?: boolean;
  /** Norms follow attention and feed-forward too, before their results are added. */
  readonly normsAfter?: boolean;
  /** Norms store their weight minus one. */
  readonly normOffset?: number;
  /** Factor of the token embeddings. */
  readonly embeddingFactor?: number;
  /** Factor of the attention scores. Default `1/√headDim`. */
  readonly scoreFactor?: number;
  /** Bound of the logits, `c · tanh(logits / c)`. */
  readonly logitBound?: number | undefined;
  /** Windowed layers have rotations of their own. */
  readonly windowRotations?: boolean;
  /** One matrix each for queries, keys and values (`qkv_proj`), and for gate and up (`gate_up_proj`). */
  readonly joined?: boolean;
}

export function rotaryDecoderSizes({
  numHiddenLayers: layers,
  numAttentionHeads: heads,
  numKeyValueHeads: keyValueHeads,
  headDim: headSize,
  hiddenSize,
  vocabSize,
}: RotaryDecoderConfig): CausalSizes {
  return { layers, heads, keyValueHeads, headSize, hiddenSize, embeddingSize: hiddenSize, vocabSize };
}

export function buildRotaryEmbedding(
  { vocabSize, hiddenSize: embeddingSize, tieWordEmbeddings }: RotaryDecoderConfig,
  { name, embeddingFactor: factor = 1 }: RotaryDecoderLayout,
  weights: WeightSource,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const table = (root: Weights): Weights => tokenEmbedding(root, ROTARY_TOKEN_EMBEDDING, tieWordEmbeddings);
  return buildTokenEmbedding({ name: `${name}_embedding`, vocabSize, embeddingSize, factor, table }, weights, prefix);
}

export function rotaryDecoderSignature(
  config: RotaryConfigOf,
  request: CausalRequest,
  { windowRotations = false }: Partial<RotaryDecoderLayout> = {},
): RotarySignature {
  const signature = causalSignature(rotaryDecoderSizes(config), request);
  const rotary = rotarySignature(windowSignature(signature, config, request), config.rotaryDim);
  return windowRotations ? windowRotarySignature(rotary) : rotary;
}

export function buildRotaryDecoder(
  config: RotaryConfigOf,
  layout: RotaryDecoderLayout,
  weights: WeightSource,
  prefix: string,
  request: CausalRequest,
): WrittenModel<RotarySignature> {
  return buildGraph(
    { name: `${layout.name}_decoder`, signature: rotaryDecoderSignature(config, request, layout), weights, prefix },
    (g, inputs, root) => {
      const rotations = rotationsOf(inputs);
      const windowed = {
        bias: windowBias(inputs),
        rotations: layout.windowRotations ? windowRotationsOf(inputs) : rotations,
      };
      return causalDecoder(g, inputs, request, {
        layers: config.numHiddenLayers,
        layer: (x, layer, context) =>
          decoderLayer(g, x, root.at(`model.layers.${layer}`), config, layout, {
            rotations,
            ...context,
            ...(isWindowed(config, layer) && windowed),
          }),
        finalStates: (x) => norm(g, x, root.at('model.norm'), config, layout),
        head: (x) => boundLogits(g, logits(g, x, root, config), layout),
      });
    },
  );
}

function logits(g: Graph, x: F32, root: Weights, config: RotaryDecoderConfig): F32 {
  return languageModelHead(g, x, root, {
    inFeatures: config.hiddenSize,
    vocabSize: config.vocabSize,
    embedding: ROTARY_TOKEN_EMBEDDING,
    tied: config.tieWordEmbeddings,
  });
}

function boundLogits(g: Graph, x: F32, { logitBound }: RotaryDecoderLayout): F32 {
  return logitBound === undefined ? x : scale(g, activation(g, scale(g, x, 1 / logitBound), 'tanh'), logitBound);
}

function norm(
  g: Graph,
  x: F32,
  weights: Weights,
  { rmsNormEps: epsilon }: RotaryDecoderConfig,
  { normOffset: offset = 0 }: Partial<RotaryDecoderLayout>,
): F32 {
  return rmsNorm(g, x, weights, { epsilon, offset });
}

type LayerContext = CausalLayerContext & { readonly rotations: Rotations };

/**
 * `x += o(attention(rotate(norm(x)))); x += down(act(gate(norm(x))) · up(norm(x)))`, with a second norm of what is
 * added if the layout has norms after.
 */
function decoderLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: RotaryDecoderConfig,
  layout: RotaryDecoderLayout,
  context: LayerContext,
): DecoderLayerOutput {
  const normed = (states: F32, name: string): F32 => norm(g, states, weights.at(name), config, layout);
  return g.scope(weights.path, () => {
    const { output, ...attended } = selfAttention(
      g,
      normed(x, 'input_layernorm'),
      weights.at('self_attn'),
      config,
      layout,
      context,
    );
    const feedForward = (states: F32): F32 => gatedFeedForward(g, states, weights.at('mlp'), config, layout);
    if (layout.normsAfter) {
      const y = add(g, x, normed(output, 'post_attention_layernorm'));
      const wide = feedForward(normed(y, 'pre_feedforward_layernorm'));
      return { hiddenStates: add(g, y, normed(wide, 'post_feedforward_layernorm')), ...attended };
    }
    const y = add(g, x, output);
    return { hiddenStates: add(g, y, feedForward(normed(y, 'post_attention_layernorm'))), ...attended };
  });
}

/** The projected context `[batch, sequence, hidden]`, new keys and values, and the attention maps if requested. */
function selfAttention(
  g: Graph,
  x: F32,
  self: Weights,
  config: RotaryDecoderConfig,
  layout: RotaryDecoderLayout,
  { rotations, attentions, ...inputs }: LayerContext,
): Omit<DecoderLayerOutput, 'hiddenStates'> & { readonly output: F32 } {
  const { hiddenSize, numAttentionHeads: numHeads, numKeyValueHeads, headDim: headSize } = config;
  const projected = projections(g, x, self, config, layout);
  const rotate = (states: F32, name: string, heads: number): F32 => {
    const normed = layout.headNorms ? headNorm(g, states, self.at(name), heads, config, layout) : states;
    return rotaryEmbedding(g, normed, rotations, { numHeads: heads, headSize });
  };
  const query = rotate(projected.query, 'q_norm', numHeads);
  const key = rotate(projected.key, 'k_norm', numKeyValueHeads);
  const { value } = projected;
  // Keys are cached after their rotation.
  const attended = groupedAttention(
    g,
    { query, key, value, ...inputs },
    {
      numHeads,
      keyValueHeads: numKeyValueHeads,
      headSize,
      probabilities: attentions,
      ...(layout.scoreFactor !== undefined && { scale: layout.scoreFactor }),
    },
  );
  const output = linear(g, attended.context, self.at('o_proj'), {
    inFeatures: numHeads * headSize,
    outFeatures: hiddenSize,
    bias: layout.outputBias ?? false,
  });
  return { output, key, value, attentions: attended.probabilities };
}

/** Queries `[batch, sequence, heads · headSize]`, keys and values `[batch, sequence, keyValueHeads · headSize]`. */
function projections(
  g: Graph,
  x: F32,
  self: Weights,
  { hiddenSize: inFeatures, numAttentionHeads, numKeyValueHeads, headDim }: RotaryDecoderConfig,
  { joined = false, queryKeyValueBias: bias = false }: RotaryDecoderLayout,
): Record<'query' | 'key' | 'value', F32> {
  const [queryWidth, keyWidth] = [numAttentionHeads * headDim, numKeyValueHeads * headDim];
  const project = (name: string, outFeatures: number): F32 =>
    linear(g, x, self.at(name), { inFeatures, outFeatures, bias });
  if (!joined)
    return { query: project('q_proj', queryWidth), key: project('k_proj', keyWidth), value: project('v_proj', keyWidth) };
  const all = project('qkv_proj', queryWidth + 2 * keyWidth);
  return {
    query: slice(g, all, -1, 0, queryWidth),
    key: slice(g, all, -1, queryWidth, queryWidth + keyWidth),
    value: slice(g, all, -1, queryWidth + keyWidth, queryWidth + 2 * keyWidth),
  };
}

/** The RMS norm of each head by itself. */
function headNorm(
  g: Graph,
  x: F32,
  weights: Weights,
  heads: number,
  config: RotaryDecoderConfig,
  layout: RotaryDecoderLayout,
): F32 {
  const normed = norm(g, reshape(g, x, [0, 0, heads, config.headDim]), weights, config, layout);
  return reshape(g, normed, [0, 0, heads * config.headDim]);
}

/** `down(act(gate(x)) · up(x))`. */
function gatedFeedForward(
  g: Graph,
  x: F32,
  mlp: Weights,
  { hiddenSize, intermediateSize, hiddenAct }: RotaryDecoderConfig,
  { joined = false, mlpBias: bias = false }: RotaryDecoderLayout,
): F32 {
  const widen = (name: string, outFeatures: number): F32 =>
    linear(g, x, mlp.at(name), { inFeatures: hiddenSize, outFeatures, bias });
  const parts = (): readonly [gate: F32, up: F32] => {
    if (!joined) return [widen('gate_proj', intermediateSize), widen('up_proj', intermediateSize)];
    const both = widen('gate_up_proj', 2 * intermediateSize);
    return [slice(g, both, -1, 0, intermediateSize), slice(g, both, -1, intermediateSize, 2 * intermediateSize)];
  };
  const [gate, up] = parts();
  return linear(g, mul(g, activation(g, gate, hiddenAct), up), mlp.at('down_proj'), {
    inFeatures: intermediateSize,
    outFeatures: hiddenSize,
    bias,
  });
}
