import { numberAttribute } from '../attribute.ts';
import { axisIndex } from '../axes.ts';
import type { ElementType } from '../element-type.ts';
import type { Pullbacks } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import type { F32, Value } from '../value.ts';
import { concat, shapeOf } from './shape.ts';

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

/** Adds the rows of `dy` to zeros of the shape of `x`, at the entries of `axis` that were picked. */
function scatter(g: Graph, x: F32, indices: Value<'int64'>, axis: number, dy: F32): F32 {
  const rank = indices.axes.length;
  const [before, after] = [x.axes.slice(0, axis), x.axes.slice(axis + 1)];
  const count = rank === 1 ? (indices.axes[0] ?? 1) : 'picked';
  const shape = concat(
    g,
    [
      ...(before.length > 0 ? [shapeOf(g, x, 0, axis)] : []),
      g.constant('int64', [1], [-1]),
      ...(after.length > 0 ? [shapeOf(g, x, axis + 1, x.axes.length)] : []),
    ] as [Value<'int64'>, ...Value<'int64'>[]],
    0,
  );
  const rows: F32 =
    rank === 1 ? dy : g.node('Reshape', [dy, shape], { type: 'float32', axes: [...before, count, ...after] });
  const column = g.constant('int64', [x.axes.length], [...before.map(() => 1), -1, ...after.map(() => 1)]);
  const flat = g.node('Reshape', [indices, column], {
    type: 'int64',
    axes: [...before.map(() => 1), count, ...after.map(() => 1)],
  });
  const at = g.node('Expand', [flat, shapeOf(g, rows)], { type: 'int64', axes: rows.axes });
  const zeros = g.node('Expand', [g.constant('float32', [], [0]), shapeOf(g, x)], { type: 'float32', axes: x.axes });
  // `ScatterND` adds equal indices on several threads at once, and loses some of them.
  return g.node(
    'ScatterElements',
    [zeros, at, rows],
    { type: 'float32', axes: x.axes },
    { attributes: { axis: { int: axis }, reduction: { string: 'add' } } },
  );
}

export const GATHER_PULLBACKS: Pullbacks = {
  Gather: ({ g, node, input, dy }) => [
    () => scatter(g, input(0), input(1) as Value as Value<'int64'>, numberAttribute(node, 'axis', 0), dy),
    undefined,
  ],
};
