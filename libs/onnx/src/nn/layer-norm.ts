import { fixedAxis } from '../axes.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';
import type { Weights } from '../weights.ts';

export interface LayerNormOptions {
  readonly epsilon: number;
  /** Learned scale and shift; without them (OPT's `layer_norm_elementwise_affine: false`) neither is stored. Default true. */
  readonly affine?: boolean;
}

/** `(x − mean) / √(variance + ε) · weight + bias` over the last axis. */
export function layerNorm(g: Graph, x: Value<'float32'>, weights: Weights, { epsilon, affine = true }: LayerNormOptions): Value<'float32'> {
  const size = fixedAxis(x.axes, -1, weights.path);
  return g.scope(weights.path, () => {
    const scale = affine ? weights.get('weight', [size]) : g.constant('float32', [size], new Array<number>(size).fill(1));
    const shift = affine ? weights.get('bias', [size]) : undefined;
    return g.node('LayerNormalization', [x, scale, shift], { type: 'float32', axes: x.axes }, { attributes: { axis: { int: -1 }, epsilon: { float: epsilon } } });
  });
}
