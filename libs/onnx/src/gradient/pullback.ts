import type { Graph } from '../graph.ts';
import type { F32, Value } from '../value.ts';
import type { GraphNode } from '../write-model.ts';
import type { InputGradients, OwnPullback } from './own-pullback.ts';

/** What the pullback of an operator is computed from. */
export interface PullbackContext {
  readonly g: Graph;
  readonly node: GraphNode;
  /** An input of the node, with the axes that it had when the node was added. */
  readonly input: (index: number) => F32;
  /** An optional input, undefined if it is not given. */
  readonly optional: (index: number) => F32 | undefined;
  /** The first output. */
  readonly y: F32;
  /** The gradient with respect to the first output, in its shape. */
  readonly dy: F32;
  /** The gradients with respect to all outputs; undefined for outputs that nothing depends on. */
  readonly gradients: readonly (F32 | undefined)[];
}

/** The pullback (vector-Jacobian product) of an operator: from the gradient of its output to those of its inputs. */
export type Pullback = (context: PullbackContext) => InputGradients;

/** Pullbacks by the name of the operator, `Softmax` or `com.microsoft.Gelu`. */
export type Pullbacks = Readonly<Record<string, Pullback>>;

/**
 * Gives a layer a pullback of its own, which replaces those of the operators between `inputs` and `y`: because the
 * derivative of rounding is zero (integer products), or because the whole has a simpler one (cross entropy).
 */
export function withPullback<V extends F32>(
  g: Graph,
  y: V,
  inputs: readonly F32[],
  pullback: OwnPullback['pullback'],
): V {
  g.ownPullbacks.set(y.name, { inputs, pullback });
  return y;
}

/** The same value under axes of its maker or reader: equal lengths under other names. */
export function withAxes<V extends Value>(value: V, { axes }: Pick<Value, 'axes'>): V {
  return { ...value, axes };
}

/** Computes a result at most once, on first use: several inputs need it. */
export function memo<R>(compute: () => R): () => R {
  let result: { readonly value: R } | undefined;
  return () => (result ??= { value: compute() }).value;
}
