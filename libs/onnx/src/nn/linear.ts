import { withPullback } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import { add } from '../ops/elementwise.ts';
import { matMul } from '../ops/matmul.ts';
import type { Value } from '../value.ts';
import type { Weights } from '../weights.ts';
import { blockProduct, rowwiseProduct } from './quantized-product.ts';
import { widenedProduct } from './widened-weight.ts';

/** Name of a bias that an adapter adds to a layer without one. No checkpoint has tensors of such names. */
export const ADDED_BIAS = 'bias (adapter)';

export interface LinearOptions {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: boolean;
  /** Whether the weight is stored as `[in, out]` (`Conv1D` of GPT-2). Default false. */
  readonly transposed?: boolean;
}

/**
 * Linear layer `y = x · Wᵀ + b`, `[…, inFeatures] → […, outFeatures]`. The weight is `[out, in]`, as in PyTorch, and
 * mapped in place without a transposed copy. If the store holds it quantized, the integer kernels compute the product;
 * its pullback multiplies by the same integers, widened to floats.
 */
export function linear(
  g: Graph,
  x: Value<'float32'>,
  weights: Weights,
  { inFeatures, outFeatures, bias, transposed = false }: LinearOptions,
): Value<'float32'> {
  return g.scope(weights.path, () => {
    const y = product(g, x, weights, [outFeatures, inFeatures], transposed);
    if (bias) return add(g, y, weights.get('bias', [outFeatures]));
    return weights.has(ADDED_BIAS) ? add(g, y, weights.get(ADDED_BIAS, [outFeatures])) : y;
  });
}

function product(
  g: Graph,
  x: Value<'float32'>,
  weights: Weights,
  shape: readonly [out: number, inner: number],
  transposed: boolean,
): Value<'float32'> {
  const quantized = weights.getQuantized('weight', shape, transposed);
  if (!quantized && transposed) return matMul(g, x, weights.get('weight', [shape[1], shape[0]]));
  if (!quantized) return matMul(g, x, weights.get('weight', shape), { transposeB: true });
  const y = quantized.precision === 'int8' ? rowwiseProduct(g, x, quantized) : blockProduct(g, x, quantized, shape);
  // The derivative of rounding is zero almost everywhere: the gradient is that of the product without it.
  return withPullback(g, y, [x], (dy) => [() => widenedProduct(g, dy, quantized, shape)]);
}
