/**
 * Layers of T5's encoder and decoder (arXiv 1910.10683; gated feed-forward layers: arXiv 2002.05202). No
 * linear layer has a bias.
 */
import type { T5Config } from '@blip2/config';
import {
  activation,
  add,
  attention,
  type AttentionInputs,
  type AttentionOutputs,
  embedding,
  type F32,
  type Graph,
  linear,
  mul,
  rmsNorm,
  transpose,
  type Value,
  type Weights,
} from '@blip2/onnx';

import { tokenEmbedding } from '../tied-embedding.ts';
import { TOKEN_EMBEDDINGS } from './t5-token-embeddings.ts';

/** Width of all heads together, which may differ from that of the model. */
export function innerSize({ numHeads, dKv }: T5Config): number {
  return numHeads * dKv;
}

/** The token embedding. In a scaled, tied model the head is the same table, which may be stored as the head alone. */
export function t5TokenEmbedding(root: Weights, { scaleDecoderOutputs }: T5Config): Weights {
  const path = TOKEN_EMBEDDINGS.find((name) => root.has(`${name}.weight`)) ?? 'shared';
  return tokenEmbedding(root, path, scaleDecoderOutputs);
}

export function t5Norm(g: Graph, x: F32, weights: Weights, { layerNormEpsilon: epsilon }: T5Config): F32 {
  return rmsNorm(g, x, weights, { epsilon });
}

/** `[batch, positions, dModel] → [batch, positions, inner]`: queries, keys or values, by `name`. */
export function t5Project(g: Graph, x: F32, name: 'q' | 'k' | 'v', weights: Weights, config: T5Config): F32 {
  return linear(g, x, weights.at(name), { inFeatures: config.dModel, outFeatures: innerSize(config), bias: false });
}

/** Attention without scaling, and the projection back to the model's width. */
export function t5Attention(
  g: Graph,
  inputs: AttentionInputs,
  weights: Weights,
  config: T5Config,
  probabilities: boolean,
): AttentionOutputs {
  const attended = attention(g, inputs, { numHeads: config.numHeads, scale: 1, probabilities });
  return {
    ...attended,
    context: linear(g, attended.context, weights.at('o'), {
      inFeatures: innerSize(config),
      outFeatures: config.dModel,
      bias: false,
    }),
  };
}

/** `wo(act(wi_0 x) · wi_1 x)`, or without the gate `wo(act(wi x))` (T5 v1.0). */
export function feedForward(
  g: Graph,
  x: F32,
  weights: Weights,
  { dModel, dFf, isGatedAct, denseActFn }: T5Config,
): F32 {
  const widen = (name: string): F32 =>
    linear(g, x, weights.at(name), { inFeatures: dModel, outFeatures: dFf, bias: false });
  const wide = activation(g, widen(isGatedAct ? 'wi_0' : 'wi'), denseActFn);
  return linear(g, isGatedAct ? mul(g, wide, widen('wi_1')) : wide, weights.at('wo'), {
    inFeatures: dFf,
    outFeatures: dModel,
    bias: false,
  });
}

/**
 * The relative position embedding of the first layer, looked up by bucket and added to the mask:
 * `[batch, heads, queries, keys]` for every layer of the stack.
 */
export function positionBias(
  g: Graph,
  buckets: Value<'int64'>,
  mask: F32,
  stack: Weights,
  { relativeAttentionNumBuckets, numHeads }: T5Config,
): F32 {
  const table = stack.at('block.0.layer.0.SelfAttention.relative_attention_bias');
  return g.scope(table.path, () => {
    const perHead = transpose(
      g,
      embedding(g, buckets, table, { numEmbeddings: relativeAttentionNumBuckets, embeddingSize: numHeads }),
      [2, 0, 1],
    );
    return add(g, mask, perHead);
  });
}
