import { axisIndex } from '../axes.ts';
import type { ElementType } from '../element-type.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';

/** Picks entries of `x` along `axis`. The axes of `indices` replace that axis. */
export function gather<T extends ElementType>(g: Graph, x: Value<T>, indices: Value<'int64'>, axis: number): Value<T> {
  const at = axisIndex(x.axes, axis, 'Gather');
  const axes = [...x.axes.slice(0, at), ...indices.axes, ...x.axes.slice(at + 1)];
  return g.node('Gather', [x, indices], { type: x.type, axes }, { attributes: { axis: { int: at } } });
}

/** The states at the first position: `[batch, positions, width]` → `[batch, width]`. */
export function firstPosition<T extends ElementType>(g: Graph, states: Value<T>): Value<T> {
  return gather(g, states, g.constant('int64', [], [0]), 1);
}
