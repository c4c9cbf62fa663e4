import {
  add,
  attention,
  expandBatch,
  type F32,
  feedForward,
  type FeedForwardOptions,
  firstPosition,
  type Graph,
  layerNorm,
  linear,
  matMul,
  splitLast,
  type Weights,
} from '@blip2/onnx';

interface AttentionPoolerOptions extends FeedForwardOptions {
  readonly numAttentionHeads: number;
  readonly layerNormEps: number;
}

/**
 * Multi-head attention pooling (arXiv 2106.04560, section 3.1): a learned query attends to all positions, followed by a
 * feed-forward with a norm. `[batch, positions, hidden]` → `[batch, hidden]`.
 */
export function attentionPooler(
  g: Graph,
  states: F32,
  weights: Weights,
  { numAttentionHeads: numHeads, layerNormEps: epsilon, ...sizes }: AttentionPoolerOptions,
): F32 {
  const { hiddenSize } = sizes;
  return g.scope(weights.path, () => {
    const self = weights.at('attention');
    // `torch.nn.MultiheadAttention` stores the projections of queries, keys and values in one matrix.
    const project = (x: F32): [query: F32, key: F32, value: F32] => {
      const all = matMul(g, x, self.get('in_proj_weight', [3 * hiddenSize, hiddenSize]), { transposeB: true });
      const parts = splitLast(g, add(g, all, self.get('in_proj_bias', [3 * hiddenSize])), 3);
      return parts as [F32, F32, F32];
    };
    const [probe] = project(weights.get('probe', [1, 1, hiddenSize]));
    const [, key, value] = project(states);
    const query = expandBatch(g, probe, states);
    const { context } = attention(g, { query, key, value }, { numHeads, probabilities: false });
    const output = { inFeatures: hiddenSize, outFeatures: hiddenSize, bias: true };
    const attended = linear(g, context, self.at('out_proj'), output);
    const normed = layerNorm(g, attended, weights.at('layernorm'), { epsilon });
    return firstPosition(g, add(g, attended, feedForward(g, normed, weights, sizes)));
  });
}
