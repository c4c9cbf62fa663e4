import { fixedAxis } from '../axes.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';
import type { Weights } from '../weights.ts';

export interface RmsNormOptions {
  readonly epsilon: number;
}

/** `x / √(mean(x²) + ε) · weight` over the last axis, without mean or bias (arXiv 1910.07467). */
export function rmsNorm(
  g: Graph,
  x: Value<'float32'>,
  weights: Weights,
  { epsilon }: RmsNormOptions,
): Value<'float32'> {
  const size = fixedAxis(x.axes, -1, weights.path);
  // onnxruntime registers this operator under the standard's domain, although the standard does not define it.
  return g.scope(weights.path, () =>
    g.node(
      'SimplifiedLayerNormalization',
      [x, weights.get('weight', [size])],
      { type: 'float32', axes: x.axes },
      { attributes: { axis: { int: -1 }, epsilon: { float: epsilon } } },
    ),
  );
}
