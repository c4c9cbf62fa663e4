/** One layer of a decoder with rotary positions, RMS norms and a gated feed-forward. */
import type { RotaryDecoderConfig } from '@blip2/config';
import {
  activation,
  add,
  type F32,
  type Graph,
  linear,
  mul,
  reshape,
  rmsNorm,
  rotaryEmbedding,
  type Rotations,
  slice,
  type Weights,
} from '@blip2/onnx';

import type { DecoderLayerOutput } from '../decoder-outputs.ts';
import type { CausalLayerContext } from './causal-decoder.ts';
import { groupedAttention } from './grouped-attention.ts';
import type { RotaryDecoderLayout } from './rotary-decoder-layout.ts';

/** The RMS norm of a family. */
export function rotaryNorm(
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
export function rotaryDecoderLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: RotaryDecoderConfig,
  layout: RotaryDecoderLayout,
  context: LayerContext,
): DecoderLayerOutput {
  const normed = (states: F32, name: string): F32 => rotaryNorm(g, states, weights.at(name), config, layout);
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
    return {
      query: project('q_proj', queryWidth),
      key: project('k_proj', keyWidth),
      value: project('v_proj', keyWidth),
    };
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
  const normed = rotaryNorm(g, reshape(g, x, [0, 0, heads, config.headDim]), weights, config, layout);
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
