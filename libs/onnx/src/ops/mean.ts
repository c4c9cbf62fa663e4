import type { Graph } from '../graph.ts';
import type { F32 } from '../value.ts';

/** The mean along one axis, which the result does not have. */
export function meanOf(g: Graph, x: F32, axis: number): F32 {
  return g.node(
    'ReduceMean',
    [x, g.constant('int64', [1], [axis])],
    { type: 'float32', axes: x.axes.filter((_, index) => index !== axis) },
    { attributes: { keepdims: { int: 0 } } },
  );
}
