import type { Graph } from '../graph.ts';
import { add } from '../ops/elementwise.ts';
import { matMul } from '../ops/matmul.ts';
import type { Value } from '../value.ts';
import type { Weights } from '../weights.ts';

export interface LinearOptions {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: boolean;
}

/** `y = x · Wᵀ + b` over a weight as PyTorch stores it, `[out, in]`, without a transposed copy; `[…, inFeatures] → […, outFeatures]`. */
export function linear(g: Graph, x: Value<'float32'>, weights: Weights, { inFeatures, outFeatures, bias }: LinearOptions): Value<'float32'> {
  return g.scope(weights.path, () => {
    const y = matMul(g, x, weights.get('weight', [outFeatures, inFeatures]), { transposeB: true });
    return bias ? add(g, y, weights.get('bias', [outFeatures])) : y;
  });
}
