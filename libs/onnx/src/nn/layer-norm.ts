import { fixedAxis } from '../axes.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';
import type { Weights } from '../weights.ts';

export interface LayerNormOptions {
  readonly epsilon: number;
  /**
   * Whether the checkpoint has a scale and a shift. Default true; false for OPT with `layer_norm_elementwise_affine:
   * false`.
   */
  readonly affine?: boolean;
}

/** `(x − mean) / √(variance + ε) · weight + bias` over the last axis. */
export function layerNorm(
  g: Graph,
  x: Value<'float32'>,
  weights: Weights,
  { epsilon, affine = true }: LayerNormOptions,
): Value<'float32'> {
  const size = fixedAxis(x.axes, -1, weights.path);
  return g.scope(weights.path, () => {
    const filled = (value: number): Value<'float32'> =>
      g.constant('float32', [size], new Array<number>(size).fill(value));
    // The standard makes the shift optional, but onnxruntime 1.30 crashes without it.
    const [scale, shift] = affine
      ? [weights.get('weight', [size]), weights.get('bias', [size])]
      : [filled(1), filled(0)];
    return g.node(
      'LayerNormalization',
      [x, scale, shift],
      { type: 'float32', axes: x.axes },
      { attributes: { axis: { int: -1 }, epsilon: { float: epsilon } } },
    );
  });
}
