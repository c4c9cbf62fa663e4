import { axisIndex } from '../axes.ts';
import type { Pullbacks } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import type { F32, Value } from '../value.ts';
import { cast } from './cast.ts';
import { binary, mul, scale } from './elementwise.ts';
import { shapeOf } from './shape.ts';
import { compare, keepWhere } from './where.ts';

type Reduction = 'ReduceSum' | 'ReduceMean' | 'ReduceL2' | 'ReduceMax' | 'ReduceMin';

/** Reduces axes, which are kept with length 1 if `keep`. A negative axis counts from the end. */
export function reduce(
  g: Graph,
  operator: Reduction,
  x: F32,
  axes: readonly number[],
  { keep }: { readonly keep: boolean },
): F32 {
  if (axes.length === 0) return x;
  const at = new Set(axes.map((axis) => axisIndex(x.axes, axis, operator)));
  return g.node(
    operator,
    [x, g.constant('int64', [axes.length], axes)],
    { type: 'float32', axes: x.axes.flatMap((axis, index) => (at.has(index) ? (keep ? [1] : []) : [axis])) },
    { attributes: { keepdims: { int: keep ? 1 : 0 } } },
  );
}

/** The sum of the elements along the last axis, which is kept. */
export function lastSum(g: Graph, x: F32): F32 {
  return reduce(g, 'ReduceSum', x, [-1], { keep: true });
}

/** The mean of the elements along the last axis, which is kept. */
export function lastMean(g: Graph, x: F32): F32 {
  return reduce(g, 'ReduceMean', x, [-1], { keep: true });
}

/**
 * Sums a gradient over the axes along which a value of the shape of `like` was stretched, the inverse of
 * broadcasting. A value is stretched along leading axes that it lacks and along axes of length 1.
 */
export function sumTo(g: Graph, gradient: F32, like: Pick<Value, 'axes'>): F32 {
  const lead = gradient.axes.length - like.axes.length;
  const stretched = like.axes.flatMap((axis, index) =>
    axis === 1 && gradient.axes[index + lead] !== 1 ? [index + lead] : [],
  );
  const kept = reduce(g, 'ReduceSum', gradient, stretched, { keep: true });
  const leading = Array.from({ length: lead }, (_, index) => index);
  return reduce(g, 'ReduceSum', kept, leading, { keep: false });
}

/** The axes that a node reduces. */
function reducedAxes(g: Graph, axes: Value, x: F32): number[] {
  return (g.numbersOf(axes) ?? []).map((axis) => axisIndex(x.axes, axis, 'reduce'));
}

/** A gradient `[…]` of a reduced value with the reduced axes as axes of length 1. */
function restoreAxes(g: Graph, dy: F32, axes: Value<'int64'>, x: F32): F32 {
  if (dy.axes.length === x.axes.length) return dy;
  const reduced = new Set(reducedAxes(g, axes, x));
  const kept = x.axes.map((axis, index) => (reduced.has(index) ? 1 : axis));
  return g.node('Unsqueeze', [dy, axes], { type: 'float32', axes: kept });
}

export const REDUCE_PULLBACKS: Pullbacks = {
  ReduceSum: ({ g, input, dy }) => [() => spread(g, dy, input(1) as Value as Value<'int64'>, input(0)), undefined],
  ReduceMean: ({ g, input, dy }) => [
    () => {
      const x = input(0);
      const axes = input(1) as Value as Value<'int64'>;
      const all = spread(g, dy, axes, x);
      const lengths = reducedAxes(g, axes, x).map((axis) => x.axes[axis]);
      if (lengths.every((length) => typeof length === 'number'))
        return scale(g, all, 1 / lengths.reduce((product, length) => product * length, 1));
      const counts = g.node(
        'ReduceProd',
        [g.node('Gather', [shapeOf(g, x), axes], { type: 'int64', axes: axes.axes })],
        {
          type: 'int64',
          axes: [1],
        },
      );
      return binary(g, 'Div', all, cast(g, counts, 'float32'));
    },
    undefined,
  ],
  /** `x / ‖x‖`; 0 for a row of zeros, as in PyTorch. */
  ReduceL2: ({ g, input, y, dy }) => [
    () => {
      const [x, axes] = [input(0), input(1) as Value as Value<'int64'>];
      const length = restoreAxes(g, y, axes, x);
      const isLong = compare(g, 'Greater', length, g.constant('float32', [], [0]));
      return mul(g, x, keepWhere(g, isLong, binary(g, 'Div', restoreAxes(g, dy, axes, x), length)));
    },
    undefined,
  ],
};

/** Repeats a gradient along the reduced axes. */
function spread(g: Graph, dy: F32, axes: Value<'int64'>, x: F32): F32 {
  return g.node('Expand', [restoreAxes(g, dy, axes, x), shapeOf(g, x)], { type: 'float32', axes: x.axes });
}
