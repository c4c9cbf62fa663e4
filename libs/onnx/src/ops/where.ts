import { broadcastAxes } from '../axes.ts';
import type { Graph } from '../graph.ts';
import type { F32, Value } from '../value.ts';

/** Compares two values element by element. */
export function compare<T extends 'float32' | 'int64'>(
  g: Graph,
  operator: 'Greater' | 'GreaterOrEqual' | 'Less' | 'LessOrEqual',
  a: Value<T>,
  b: Value<T>,
): Value<'bool'> {
  return g.node(operator, [a, b], { type: 'bool', axes: broadcastAxes(a.axes, b.axes, operator) });
}

/** The elements of `x` where `condition` is true, and 0 elsewhere. */
export function keepWhere(g: Graph, condition: Value<'bool'>, x: F32): F32 {
  return g.node('Where', [condition, x, g.constant('float32', [], [0])], {
    type: 'float32',
    axes: broadcastAxes(condition.axes, x.axes, 'Where'),
  });
}
