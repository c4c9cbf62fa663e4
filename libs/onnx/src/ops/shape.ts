import { type Axis, Blip2Error } from '@blip2/interfaces';

import { addAxes, axisAt, axisIndex, fixedAxis, formatAxes, sameAxes } from '../axes.ts';
import type { ElementType } from '../element-type.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';

/**
 * Reshapes a value. `0` keeps the axis at that index and a single `-1` is inferred; if its length is unknown,
 * `inferred` must name it.
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
    throw new Blip2Error('SHAPE_MISMATCH', 'A reshape must keep the number of elements', {
      where: 'Reshape',
      expected: formatAxes(shape),
      got: formatAxes(x.axes),
    });
  }
  return g.node('Reshape', [x, g.constant('int64', [shape.length], shape)], { type: x.type, axes });
}

/** The number of elements; NaN if a length is unknown. */
function elements(axes: readonly Axis[]): number {
  return axes.reduce<number>((total, axis) => total * (typeof axis === 'number' ? axis : Number.NaN), 1);
}

function inferAxis(axes: readonly Axis[], shape: readonly number[]): Axis {
  const moved = axes.filter((_, index) => shape[index] !== 0);
  const length = elements(moved) / elements(shape.filter((entry) => entry > 0));
  if (Number.isInteger(length)) return length;
  throw new Blip2Error('SHAPE_MISMATCH', 'The inferred axis of a reshape must have a length or a name', {
    where: 'Reshape',
    expected: formatAxes(shape),
    got: formatAxes(axes),
  });
}

/** Permutes the axes. `permutation` lists every axis once. */
export function transpose<T extends ElementType>(g: Graph, x: Value<T>, permutation: readonly number[]): Value<T> {
  if (
    !sameAxes(
      permutation.toSorted((a, b) => a - b),
      x.axes.map((_, index) => index),
    )
  ) {
    throw new Blip2Error('SHAPE_MISMATCH', 'A permutation must list every axis once', {
      where: 'Transpose',
      expected: formatAxes(permutation),
      got: formatAxes(x.axes),
    });
  }
  const axes = permutation.map((index) => axisAt(x.axes, index, 'Transpose'));
  return g.node('Transpose', [x], { type: x.type, axes }, { attributes: { perm: { ints: permutation } } });
}

/** Concatenates values along one axis. Their other axes must be equal. */
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
      const length = axisAt(sum, at, 'Concat');
      if (!sameAxes(withLength(other.axes, length), sum)) {
        throw new Blip2Error('SHAPE_MISMATCH', 'Concatenated values must agree on all other axes', {
          where: `Concat along axis ${at}`,
          expected: formatAxes(first.axes),
          got: formatAxes(other.axes),
        });
      }
      return withLength(sum, addAxes(length, axisAt(other.axes, at, 'Concat')));
    },
    [...first.axes],
  );
  return g.node('Concat', values, { type: first.type, axes }, { attributes: { axis: { int: axis } } });
}

/** Splits the last axis into `count` equal parts. */
export function splitLast<T extends ElementType>(g: Graph, x: Value<T>, count: number): [Value<T>, ...Value<T>[]] {
  const length = fixedAxis(x.axes, -1, 'Split') / count;
  if (!Number.isInteger(length))
    throw new Blip2Error('SHAPE_MISMATCH', 'The last axis must split evenly', {
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
 * Entries `start` to `end` (exclusive) of one axis, counted from 0; `Infinity` is the end of the axis. An axis of
 * unknown length is assumed to be long enough.
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
    throw new Blip2Error('SHAPE_MISMATCH', 'A slice must stay within its axis', {
      where: 'Slice',
      expected: `0 ≤ start ≤ end ≤ ${axis}`,
      got: `${start} to ${end}`,
    });
  if (typeof last === 'number') return last - start;
  return start === 0 ? last : `${last}-${start}`;
}

/** Repeats a single row for each row of `like`: `[1, …] → [batch, …]`. */
export function expandBatch<T extends ElementType>(g: Graph, x: Value<T>, like: Value): Value<T> {
  if (x.axes[0] !== 1)
    throw new Blip2Error('SHAPE_MISMATCH', 'The repeated value must have a single row', {
      where: 'Expand',
      expected: '[1, …]',
      got: formatAxes(x.axes),
    });
  const batch = axisAt(like.axes, 0, 'Expand');
  const size = shapeOf(g, like, 0, 1);
  const rest = g.constant(
    'int64',
    [x.axes.length - 1],
    x.axes.slice(1).map(() => 1),
  );
  const shape = concat(g, [size, rest], 0);
  return g.node('Expand', [x, shape], { type: x.type, axes: [batch, ...x.axes.slice(1)] });
}

/** The lengths of axes `start` to `end` (exclusive) as a vector. */
export function shapeOf(g: Graph, x: Value, start = 0, end: number = x.axes.length): Value<'int64'> {
  const attributes = start === 0 && end === x.axes.length ? {} : { start: { int: start }, end: { int: end } };
  return g.node('Shape', [x], { type: 'int64', axes: [end - start] }, { attributes });
}
