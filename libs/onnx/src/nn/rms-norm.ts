import { fixedAxis } from '../axes.ts';
import type { Graph } from '../graph.ts';
import { add } from '../ops/elementwise.ts';
import type { Value } from '../value.ts';
import type { Weights } from '../weights.ts';

export interface RmsNormOptions {
  readonly epsilon: number;
  /** Added to the weight: 1 in checkpoints that store the weight minus one. Default 0. */
  readonly offset?: number;
}

/** `x / √(mean(x²) + ε) · weight` over the last axis, without mean or bias (arXiv 1910.07467). */
export function rmsNorm(
  g: Graph,
  x: Value<'float32'>,
  weights: Weights,
  { epsilon, offset = 0 }: RmsNormOptions,
): Value<'float32'> {
  const size = fixedAxis(x.axes, -1, weights.path);
  // onnxruntime registers this operator under the standard's domain, although the standard does not define it.
  return g.scope(weights.path, () => {
    const stored = weights.get('weight', [size]);
    const weight = offset === 0 ? stored : add(g, stored, g.constant('float32', [], [offset]));
    return g.node(
      'SimplifiedLayerNormalization',
      [x, weight],
      { type: 'float32', axes: x.axes },
      { attributes: { axis: { int: -1 }, epsilon: { float: epsilon } } },
    );
  });
}
