import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';

/** Probabilities over the last axis. */
export function softmax(g: Graph, x: Value<'float32'>): Value<'float32'> {
  return g.node('Softmax', [x], { type: 'float32', axes: x.axes }, { attributes: { axis: { int: -1 } } });
}
