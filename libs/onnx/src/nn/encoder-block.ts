import type { Graph } from '../graph.ts';
import { add } from '../ops/elementwise.ts';
import { splitLast } from '../ops/shape.ts';
import type { F32 } from '../value.ts';
import type { Weights } from '../weights.ts';
import { activation } from './activation.ts';
import { attention } from './attention.ts';
import { layerNorm } from './layer-norm.ts';
import { linear } from './linear.ts';

/** How the attention of a block names its projections, below `self_attn`. */
export interface AttentionLayout {
  /** One layer for queries, keys and values, in this order, or one layer each. */
  readonly inputs:
    { readonly fused: string } | { readonly separate: readonly [query: string, key: string, value: string] };
  /** Whether the layers of `inputs` have a bias. */
  readonly inputBias: boolean;
  readonly output: string;
}

export interface EncoderBlockOptions {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHeads: number;
  readonly hiddenAct: string;
  readonly layerNormEps: number;
  readonly attention: AttentionLayout;
  /** Compute the attention maps as well. */
  readonly attentions: boolean;
}

export interface EncoderBlockOutput {
  readonly hiddenStates: F32;
  /** `[batch, heads, positions, positions]`, if requested. */
  readonly attentions: F32 | undefined;
}

/**
 * A block of a pre-norm vision transformer (arXiv 2010.11929, figure 1), `[batch, positions, hidden]` → the same:
 * `x += output(attention(layer_norm1(x))); x += fc2(act(fc1(layer_norm2(x))))`.
 */
export function encoderBlock(g: Graph, x: F32, weights: Weights, options: EncoderBlockOptions): EncoderBlockOutput {
  const { hiddenSize, intermediateSize, numHeads, hiddenAct, layerNormEps: epsilon, attention: layout } = options;
  return g.scope(weights.path, () => {
    const self = weights.at('self_attn');
    const projected = projections(g, layerNorm(g, x, weights.at('layer_norm1'), { epsilon }), self, options);
    const { context, probabilities } = attention(g, projected, { numHeads, probabilities: options.attentions });
    const output = { inFeatures: hiddenSize, outFeatures: hiddenSize, bias: true };
    const attended = add(g, x, linear(g, context, self.at(layout.output), output));
    const mlp = weights.at('mlp');
    const wide = linear(g, layerNorm(g, attended, weights.at('layer_norm2'), { epsilon }), mlp.at('fc1'), {
      inFeatures: hiddenSize,
      outFeatures: intermediateSize,
      bias: true,
    });
    const narrow = linear(g, activation(g, wide, hiddenAct), mlp.at('fc2'), {
      inFeatures: intermediateSize,
      outFeatures: hiddenSize,
      bias: true,
    });
    return { hiddenStates: add(g, attended, narrow), attentions: probabilities };
  });
}

function projections(
  g: Graph,
  x: F32,
  weights: Weights,
  { hiddenSize: inFeatures, attention: { inputs, inputBias: bias } }: EncoderBlockOptions,
): { readonly query: F32; readonly key: F32; readonly value: F32 } {
  const project = (name: string, outFeatures: number): F32 =>
    linear(g, x, weights.at(name), { inFeatures, outFeatures, bias });
  const [query, key, value] = (
    'fused' in inputs
      ? splitLast(g, project(inputs.fused, 3 * inFeatures), 3)
      : inputs.separate.map((name) => project(name, inFeatures))
  ) as [F32, F32, F32];
  return { query, key, value };
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
