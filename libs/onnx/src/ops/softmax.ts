import type { Pullbacks } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import type { F32, Value } from '../value.ts';
import { binary, mul } from './elementwise.ts';
import { lastSum } from './reduce.ts';

/** Probabilities over the last axis. */
export function softmax(g: Graph, x: Value<'float32'>): Value<'float32'> {
  return g.node('Softmax', [x], { type: 'float32', axes: x.axes }, { attributes: { axis: { int: -1 } } });
}

/** `y · (dy − Σ dy · y)`: from the gradient of probabilities `y` to that of the scores. */
export function softmaxPullback(g: Graph, y: F32, dy: F32): F32 {
  return mul(g, y, binary(g, 'Sub', dy, lastSum(g, mul(g, dy, y))));
}

export const SOFTMAX_PULLBACKS: Pullbacks = {
  Softmax: ({ g, y, dy }) => [() => softmaxPullback(g, y, dy)],
};
