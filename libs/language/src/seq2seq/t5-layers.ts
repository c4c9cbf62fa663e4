/**
 * Layers of the encoder and decoder of T5, mT5 and UMT5 (arXiv 1910.10683, 2010.11934; gated feed-forward layers: arXiv
 * 2002.05202). No linear layer has a bias.
 */
import type { Seq2SeqConfig } from '@blip2/config';
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
export function innerSize({ numHeads, dKv }: Seq2SeqConfig): number {
  return numHeads * dKv;
}

/** The token embedding. In a scaled, tied model the head is the same table, which may be stored as the head alone. */
export function t5TokenEmbedding(root: Weights, { scaleDecoderOutputs }: Seq2SeqConfig): Weights {
  const path = TOKEN_EMBEDDINGS.find((name) => root.has(`${name}.weight`)) ?? 'shared';
  return tokenEmbedding(root, path, scaleDecoderOutputs);
}

export function t5Norm(g: Graph, x: F32, weights: Weights, { layerNormEpsilon: epsilon }: Seq2SeqConfig): F32 {
  return rmsNorm(g, x, weights, { epsilon });
}

/** `[batch, positions, dModel] → [batch, positions, inner]`: queries, keys or values, by `name`. */
export function t5Project(g: Graph, x: F32, name: 'q' | 'k' | 'v', weights: Weights, config: Seq2SeqConfig): F32 {
  return linear(g, x, weights.at(name), { inFeatures: config.dModel, outFeatures: innerSize(config), bias: false });
}

/** Attention without scaling, and the projection back to the model's width. */
export function t5Attention(
  g: Graph,
  inputs: AttentionInputs,
  weights: Weights,
  config: Seq2SeqConfig,
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
  { dModel, dFf, isGatedAct, denseActFn }: Seq2SeqConfig,
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
 * The relative position bias of a block, looked up by bucket and added to the mask: `[batch, heads, queries, keys]`. If
 * only the first layer has an embedding, `before` is its bias, which every layer of the stack uses.
 */
export function positionBias(
  g: Graph,
  { buckets, mask, before }: { readonly buckets: Value<'int64'>; readonly mask: F32; readonly before: F32 | undefined },
  block: Weights,
  { relativeAttentionNumBuckets, numHeads, hasBiasInEveryLayer }: Seq2SeqConfig,
): F32 {
  if (before !== undefined && !hasBiasInEveryLayer) return before;
  const table = block.at('layer.0.SelfAttention.relative_attention_bias');
  return g.scope(table.path, () => {
    const perHead = transpose(
      g,
      embedding(g, buckets, table, { numEmbeddings: relativeAttentionNumBuckets, embeddingSize: numHeads }),
      [2, 0, 1],
    );
    return add(g, mask, perHead);
  });
}
