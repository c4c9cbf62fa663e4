import type { Graph } from '../graph.ts';
import { add, mul } from '../ops/elementwise.ts';
import { splitLast } from '../ops/shape.ts';
import type { F32 } from '../value.ts';
import type { Weights } from '../weights.ts';
import { attention } from './attention.ts';
import { feedForward, type FeedForwardLayout } from './feed-forward.ts';
import { layerNorm } from './layer-norm.ts';
import { linear } from './linear.ts';

/** How the attention of a block names its projections, below the block. */
export interface AttentionLayout {
  /**
   * One layer for queries, keys and values, in this order, or one layer each. The biases of one layer may be tensors of
   * their own, `[hidden]`, without one for the keys.
   */
  readonly inputs:
    | { readonly fused: string; readonly biases?: readonly [query: string, value: string] }
    | { readonly separate: readonly [query: string, key: string, value: string] };
  /** Whether the layers of `inputs` have a bias. */
  readonly inputBias: boolean;
  readonly output: string;
}

/** How a block names its tensors. */
export interface EncoderBlockLayout {
  readonly attention: AttentionLayout;
  /** The norms before attention and before the feed-forward. Default `layer_norm1` and `layer_norm2`. */
  readonly norms?: readonly [attention: string, feedForward: string];
  /** Default `mlp.fc1` and `mlp.fc2`. */
  readonly feedForward?: FeedForwardLayout;
  /**
   * Factors per feature, `[hidden]`, of the results of attention and feed-forward before they are added (LayerScale).
   */
  readonly layerScales?: readonly [attention: string, feedForward: string];
}

export interface EncoderBlockOptions extends EncoderBlockLayout {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHeads: number;
  readonly hiddenAct: string;
  readonly layerNormEps: number;
  /** Compute the attention maps as well. */
  readonly attentions: boolean;
}

export interface EncoderBlockOutput {
  readonly hiddenStates: F32;
  /** `[batch, heads, positions, positions]`, if requested. */
  readonly attentions: F32 | undefined;
}

const NORMS = ['layer_norm1', 'layer_norm2'] as const;

/**
 * A block of a pre-norm vision transformer (arXiv 2010.11929, figure 1), `[batch, positions, hidden]` → the same:
 * `x += output(attention(norm1(x))); x += feedForward(norm2(x))`, with a factor per feature of what is added if the
 * layout has layer scales (arXiv 2103.17239, section 2).
 */
export function encoderBlock(g: Graph, x: F32, weights: Weights, options: EncoderBlockOptions): EncoderBlockOutput {
  const { hiddenSize, numHeads, layerNormEps: epsilon, norms: [norm1, norm2] = NORMS, layerScales } = options;
  return g.scope(weights.path, () => {
    const scaled = (states: F32, name: string | undefined): F32 =>
      name === undefined ? states : mul(g, states, weights.get(name, [hiddenSize]));
    const projected = projections(g, layerNorm(g, x, weights.at(norm1), { epsilon }), weights, options);
    const { context, probabilities } = attention(g, projected, { numHeads, probabilities: options.attentions });
    const output = { inFeatures: hiddenSize, outFeatures: hiddenSize, bias: true };
    const attended = linear(g, context, weights.at(options.attention.output), output);
    const y = add(g, x, scaled(attended, layerScales?.[0]));
    const narrow = feedForward(g, layerNorm(g, y, weights.at(norm2), { epsilon }), weights, options);
    return { hiddenStates: add(g, y, scaled(narrow, layerScales?.[1])), attentions: probabilities };
  });
}

function projections(
  g: Graph,
  x: F32,
  weights: Weights,
  { hiddenSize: inFeatures, attention: { inputs, inputBias: bias } }: EncoderBlockOptions,
): { readonly query: F32; readonly key: F32; readonly value: F32 } {
  const biases = bias && 'fused' in inputs ? inputs.biases : undefined;
  const project = (name: string, outFeatures: number): F32 =>
    linear(g, x, weights.at(name), { inFeatures, outFeatures, bias: bias && !biases });
  const [query, key, value] = (
    'fused' in inputs
      ? splitLast(g, project(inputs.fused, 3 * inFeatures), 3)
      : inputs.separate.map((name) => project(name, inFeatures))
  ) as [F32, F32, F32];
  const biased = (states: F32, name: string | undefined): F32 =>
    name === undefined ? states : add(g, states, weights.get(name, [inFeatures]));
  return { query: biased(query, biases?.[0]), key, value: biased(value, biases?.[1]) };
}

export interface EncoderStackOutput {
  /** The input, then the output of each block. */
  readonly hiddenStates: readonly [F32, ...F32[]];
  readonly lastHiddenState: F32;
  /** One per block, if requested. */
  readonly attentions: readonly F32[];
}

/** Blocks `0` to `layers - 1` below `weights`, one after another. */
export function encoderStack(
  g: Graph,
  x: F32,
  weights: Weights,
  { layers, ...options }: EncoderBlockOptions & { readonly layers: number },
): EncoderStackOutput {
  const hiddenStates: [F32, ...F32[]] = [x];
  const attentions: F32[] = [];
  let last = x;
  for (let layer = 0; layer < layers; layer++) {
    const block = encoderBlock(g, last, weights.at(String(layer)), options);
    last = block.hiddenStates;
    hiddenStates.push(last);
    if (block.attentions) attentions.push(block.attentions);
  }
  return { hiddenStates, lastHiddenState: last, attentions };
}
