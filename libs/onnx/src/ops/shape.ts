import { type Axis, Blip2Error } from '@blip2/interfaces';

import { addAxes, axisAt, axisIndex, fixedAxis, formatAxes, sameAxes } from '../axes.ts';
import type { ElementType } from '../element-type.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';

/**
 * The same elements under another shape. `0` keeps the axis of that index, one `-1` is inferred;
 * an inferred axis of unknown length needs the name `inferred`.
 */
export function reshape<T extends ElementType>(
  g: Graph,
  x: Value<T>,
  shape: readonly number[],
  inferred?: string,
): Value<T> {
  const rest = shape.includes(-1) ? (inferred ?? inferAxis(x.axes, shape)) : 1;
  const axes = shape.map((length, index): Axis =>
    length === 0 ? axisAt(x.axes, index, 'Reshape') : length === -1 ? rest : length,
  );
  const [before, after] = [elements(x.axes), elements(axes)];
  if (before !== after && !Number.isNaN(before) && !Number.isNaN(after)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'This reshape changes the number of elements', {
      where: 'Reshape',
      expected: formatAxes(shape),
      got: formatAxes(x.axes),
    });
  }
  return g.node('Reshape', [x, g.constant('int64', [shape.length], shape)], { type: x.type, axes });
}

/** NaN if a length is unknown. */
function elements(axes: readonly Axis[]): number {
  return axes.reduce<number>((total, axis) => total * (typeof axis === 'number' ? axis : Number.NaN), 1);
}

function inferAxis(axes: readonly Axis[], shape: readonly number[]): Axis {
  const moved = axes.filter((_, index) => shape[index] !== 0);
  const length = elements(moved) / elements(shape.filter((entry) => entry > 0));
  if (Number.isInteger(length)) return length;
  throw new Blip2Error('SHAPE_MISMATCH', 'This reshape leaves an axis unknown', {
    where: 'Reshape',
    expected: formatAxes(shape),
    got: formatAxes(axes),
  });
}

/** The axes in another order; `permutation` names every old one once. */
export function transpose<T extends ElementType>(g: Graph, x: Value<T>, permutation: readonly number[]): Value<T> {
  if (
    !sameAxes(
      permutation.toSorted((a, b) => a - b),
      x.axes.map((_, index) => index),
    )
  ) {
    throw new Blip2Error('SHAPE_MISMATCH', 'This order does not name every axis once', {
      where: 'Transpose',
      expected: formatAxes(permutation),
      got: formatAxes(x.axes),
    });
  }
  const axes = permutation.map((index) => axisAt(x.axes, index, 'Transpose'));
  return g.node('Transpose', [x], { type: x.type, axes }, { attributes: { perm: { ints: permutation } } });
}

/** Values laid end to end along one axis; their other axes are the same. */
export function concat<T extends ElementType>(
  g: Graph,
  values: readonly [Value<T>, ...Value<T>[]],
  axis: number,
): Value<T> {
  const [first, ...others] = values;
  const at = axisIndex(first.axes, axis, 'Concat');
  const withLength = (axes: readonly Axis[], length: Axis): Axis[] =>
    axes.map((old, index) => (index === at ? length : old));
  const axes = others.reduce(
    (sum, other) => {
      const own = axisAt(sum, at, 'Concat');
      if (!sameAxes(withLength(other.axes, own), sum)) {
        throw new Blip2Error('SHAPE_MISMATCH', 'These values cannot be laid end to end', {
          where: `Concat along axis ${at}`,
          expected: formatAxes(first.axes),
          got: formatAxes(other.axes),
        });
      }
      return withLength(sum, addAxes(own, axisAt(other.axes, at, 'Concat')));
    },
    [...first.axes],
  );
  return g.node('Concat', values, { type: first.type, axes }, { attributes: { axis: { int: axis } } });
}

/** Cuts the last axis into `count` equal parts. */
export function splitLast<T extends ElementType>(g: Graph, x: Value<T>, count: number): [Value<T>, ...Value<T>[]] {
  const length = fixedAxis(x.axes, -1, 'Split') / count;
  if (!Number.isInteger(length))
    throw new Blip2Error('SHAPE_MISMATCH', 'The last axis does not split evenly', {
      where: 'Split',
      expected: `a multiple of ${count}`,
      got: formatAxes(x.axes),
    });
  const output = { type: x.type, axes: [...x.axes.slice(0, -1), length] };
  const others = Array.from({ length: count - 1 }, () => output);
  return g.multiNode('Split', [x], [output, ...others], {
    attributes: { axis: { int: -1 }, num_outputs: { int: count } },
  });
}

/**
 * Rows `start` to `end` (excluded) of one axis, counted from 0; an `end` of `Infinity` is the axis's own.
 * An axis of unknown length is taken to be long enough.
 */
export function slice<T extends ElementType>(
  g: Graph,
  x: Value<T>,
  axis: number,
  start: number,
  end: number,
): Value<T> {
  const at = axisIndex(x.axes, axis, 'Slice');
  const old = axisAt(x.axes, at, 'Slice');
  const length = slicedLength(old, start, end);
  const last = Number.isFinite(end) ? end : Number.MAX_SAFE_INTEGER;
  const bounds = [[start], [last], [at]].map((numbers) => g.constant('int64', [1], numbers));
  return g.node('Slice', [x, ...bounds], {
    type: x.type,
    axes: x.axes.map((entry, index) => (index === at ? length : entry)),
  });
}

function slicedLength(axis: Axis, start: number, end: number): Axis {
  const last = Number.isFinite(end) ? end : axis;
  const fits =
    start >= 0 &&
    (typeof axis === 'string' || start <= axis) &&
    (typeof last === 'string' || (start <= last && (typeof axis === 'string' || last <= axis)));
  if (!fits)
    throw new Blip2Error('SHAPE_MISMATCH', 'There are no such rows', {
      where: 'Slice',
      expected: `0 ≤ start ≤ end ≤ ${axis}`,
      got: `${start} to ${end}`,
    });
  if (typeof last === 'number') return last - start;
  return start === 0 ? last : `${last}-${start}`;
}

/** Repeats a single row for each of the rows of `like`: `[1, …] → [batch, …]`. */
export function expandBatch<T extends ElementType>(g: Graph, x: Value<T>, like: Value): Value<T> {
  if (x.axes[0] !== 1)
    throw new Blip2Error('SHAPE_MISMATCH', 'Only a single row can be repeated', {
      where: 'Expand',
      expected: '[1, …]',
      got: formatAxes(x.axes),
    });
  const batch = axisAt(like.axes, 0, 'Expand');
  const size = g.node(
    'Shape',
    [like],
    { type: 'int64', axes: [1] },
    { attributes: { start: { int: 0 }, end: { int: 1 } } },
  );
  const rest = g.constant(
    'int64',
    [x.axes.length - 1],
    x.axes.slice(1).map(() => 1),
  );
  const shape = concat(g, [size, rest], 0);
  return g.node('Expand', [x, shape], { type: x.type, axes: [batch, ...x.axes.slice(1)] });
}
