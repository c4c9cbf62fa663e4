import type { Graph } from '../graph.ts';
import { mul } from '../ops/elementwise.ts';
import { splitLast } from '../ops/shape.ts';
import type { F32 } from '../value.ts';
import type { Weights } from '../weights.ts';
import { activation } from './activation.ts';
import { linear } from './linear.ts';

/**
 * How a feed-forward names its layers: two, or with a gate (SwiGLU, arXiv 2002.05202) whose first layer computes gate
 * and values, in this order.
 */
export type FeedForwardLayout =
  | { readonly plain: readonly [wide: string, narrow: string] }
  | { readonly gated: readonly [gateAndValues: string, narrow: string] };

export interface FeedForwardOptions {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Not used with a gate, whose activation is SiLU. */
  readonly hiddenAct: string;
  /** Default `mlp.fc1` and `mlp.fc2`. */
  readonly feedForward?: FeedForwardLayout;
}

const PLAIN: FeedForwardLayout = { plain: ['mlp.fc1', 'mlp.fc2'] };

/** `narrow(act(wide(x)))`, or `narrow(silu(gate(x)) · values(x))`: `[…, hidden]` → the same. */
export function feedForward(
  g: Graph,
  x: F32,
  weights: Weights,
  { hiddenSize, intermediateSize, hiddenAct, feedForward: layout = PLAIN }: FeedForwardOptions,
): F32 {
  const widen = (name: string, outFeatures: number): F32 =>
    linear(g, x, weights.at(name), { inFeatures: hiddenSize, outFeatures, bias: true });
  const narrow = (wide: F32, name: string): F32 =>
    linear(g, wide, weights.at(name), { inFeatures: intermediateSize, outFeatures: hiddenSize, bias: true });
  if ('plain' in layout) {
    const [first, second] = layout.plain;
    return narrow(activation(g, widen(first, intermediateSize), hiddenAct), second);
  }
  const [first, second] = layout.gated;
  const [gate, values] = splitLast(g, widen(first, 2 * intermediateSize), 2) as [F32, F32];
  return narrow(mul(g, activation(g, gate, 'silu'), values), second);
}
