import type { Blip2QFormerConfig } from '@blip2/config';
import {
  activation,
  add,
  assumeAxes,
  attention,
  concat,
  type F32,
  type Graph,
  layerNorm,
  linear,
  slice,
  splitHeads,
  type Value,
  type Weights,
} from '@blip2/onnx';

import type { QFormerRequest } from './qformer-request.ts';
import { relativeScores } from './relative-positions.ts';

/** Keys and values of positions, `[batch, heads, positions, headSize]` each. */
interface KeyValue {
  readonly key: F32;
  readonly value: F32;
}

/** The inputs of a layer in addition to its hidden states. */
export interface LayerContext {
  /** `[batch, patches, encoderHidden]`, in layers with cross-attention. */
  readonly image: F32 | undefined;
  readonly bias: F32 | undefined;
  readonly imageBias: F32 | undefined;
  /** `[heads, 1, 1]`. */
  readonly headMask: F32 | undefined;
  readonly distances: Value<'int64'> | undefined;
  readonly imageDistances: Value<'int64'> | undefined;
  readonly past: KeyValue | undefined;
}

export interface LayerOutput {
  readonly states: F32;
  readonly probabilities: F32 | undefined;
  readonly crossProbabilities: F32 | undefined;
  /** Of self-attention, earlier positions included. */
  readonly keyValue: KeyValue | undefined;
}

/**
 * Self-attention over all positions, then cross-attention of the queries to the image. Queries and text have separate
 * feed-forward layers.
 */
export function qformerLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: Blip2QFormerConfig,
  { queryLength, attentions, keyValues = false }: QFormerRequest,
  context: LayerContext,
): LayerOutput {
  const { image, headMask } = context;
  return g.scope(weights.path, () => {
    const self = attentionBlock(g, x, weights.at('attention'), config, {
      source: x,
      sourceSize: config.hiddenSize,
      bias: context.bias,
      headMask,
      distances: context.distances,
      past: context.past,
      attentions,
      keyValues,
    });
    const { probabilities, keyValue } = self;
    if (queryLength === 0)
      return {
        states: feedForward(g, self.states, weights, config, ''),
        probabilities,
        crossProbabilities: undefined,
        keyValue,
      };

    let queries = queryLength === 'all' ? self.states : slice(g, self.states, 1, 0, queryLength);
    let crossProbabilities: F32 | undefined;
    if (image) {
      const cross = attentionBlock(g, queries, weights.at('crossattention'), config, {
        source: image,
        sourceSize: config.encoderHiddenSize,
        bias: context.imageBias,
        headMask,
        distances: context.imageDistances,
        past: undefined,
        attentions,
        keyValues: false,
      });
      queries = cross.states;
      crossProbabilities = cross.probabilities;
    }
    const states = feedForward(g, queries, weights, config, '_query');
    if (queryLength === 'all') return { states, probabilities, crossProbabilities, keyValue };

    const text = feedForward(g, slice(g, self.states, 1, queryLength, Infinity), weights, config, '');
    const all = assumeAxes(concat(g, [states, text], 1), x.axes, 'queries and text are all positions');
    return { states: all, probabilities, crossProbabilities, keyValue };
  });
}

interface AttentionBlockOptions {
  /** The keys and values before projection, and their width. */
  readonly source: F32;
  readonly sourceSize: number;
  readonly bias: F32 | undefined;
  readonly headMask: F32 | undefined;
  readonly distances: Value<'int64'> | undefined;
  readonly past: KeyValue | undefined;
  readonly attentions: boolean;
  readonly keyValues: boolean;
}

interface AttentionBlockOutput {
  readonly states: F32;
  readonly probabilities: F32 | undefined;
  readonly keyValue: KeyValue | undefined;
}

/** `norm(dense(attention(x, source)) + x)`. */
function attentionBlock(
  g: Graph,
  x: F32,
  weights: Weights,
  config: Blip2QFormerConfig,
  { source, sourceSize, bias, headMask, distances, past, attentions, keyValues }: AttentionBlockOptions,
): AttentionBlockOutput {
  const { hiddenSize, numAttentionHeads: numHeads } = config;
  const inner = weights.at('attention');
  const query = linear(g, x, inner.at('query'), { inFeatures: hiddenSize, outFeatures: hiddenSize, bias: true });
  let key = linear(g, source, inner.at('key'), { inFeatures: sourceSize, outFeatures: hiddenSize, bias: true });
  let value = linear(g, source, inner.at('value'), { inFeatures: sourceSize, outFeatures: hiddenSize, bias: true });
  if (past || keyValues || distances)
    [key, value] = [
      join(g, past?.key, splitHeads(g, key, numHeads)),
      join(g, past?.value, splitHeads(g, value, numHeads)),
    ];
  const relative = distances && relativeScores(g, { query, key, distances }, inner.at('distance_embedding'), config);
  const total = relative && bias ? add(g, relative, bias) : (relative ?? bias);
  // The fused operator does not accept a mask that is broadcast over the query positions.
  const { context, probabilities } = attention(
    g,
    { query, key, value, ...(total && { bias: total }), ...(headMask && { headMask }) },
    { numHeads, probabilities: attentions || total !== undefined },
  );
  const dense = linear(g, context, weights.at('output.dense'), {
    inFeatures: hiddenSize,
    outFeatures: hiddenSize,
    bias: true,
  });
  const states = layerNorm(g, add(g, dense, x), weights.at('output.LayerNorm'), { epsilon: config.layerNormEps });
  return {
    states,
    probabilities: attentions ? probabilities : undefined,
    keyValue: keyValues ? { key, value } : undefined,
  };
}

/** Concatenates earlier and new positions, `[batch, heads, positions, headSize]`. */
function join(g: Graph, past: F32 | undefined, fresh: F32): F32 {
  return past ? concat(g, [past, fresh], 2) : fresh;
}

/** `norm(output(act(intermediate(x))) + x)`, with the weights of queries (`_query`) or of text (no suffix). */
function feedForward(g: Graph, x: F32, weights: Weights, config: Blip2QFormerConfig, suffix: '' | '_query'): F32 {
  const { hiddenSize, intermediateSize, hiddenAct, layerNormEps: epsilon } = config;
  const wide = linear(g, x, weights.at(`intermediate${suffix}.dense`), {
    inFeatures: hiddenSize,
    outFeatures: intermediateSize,
    bias: true,
  });
  const output = weights.at(`output${suffix}`);
  const narrow = linear(g, activation(g, wide, hiddenAct), output.at('dense'), {
    inFeatures: intermediateSize,
    outFeatures: hiddenSize,
    bias: true,
  });
  return layerNorm(g, add(g, narrow, x), output.at('LayerNorm'), { epsilon });
}
