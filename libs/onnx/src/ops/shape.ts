import { Blip2Error, type Axis } from '@blip2/interfaces';
import { addAxes, axisAt, fixedAxis, formatAxes } from '../axes.ts';
import type { ElementType } from '../element-type.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';

/**
 * The same elements under another shape. `0` keeps the axis of that index, `-1` is inferred;
 * an inferred axis of unknown length needs the name `inferred`.
 */
export function reshape<T extends ElementType>(g: Graph, x: Value<T>, shape: readonly number[], inferred?: string): Value<T> {
  const rest = shape.includes(-1) ? (inferred ?? inferAxis(x.axes, shape)) : 1;
  const axes = shape.map((length, index): Axis => (length === 0 ? axisAt(x.axes, index, 'Reshape') : length === -1 ? rest : length));
  return g.node('Reshape', [x, g.constant('int64', [shape.length], shape)], { type: x.type, axes });
}

function inferAxis(axes: readonly Axis[], shape: readonly number[]): Axis {
  const product = (list: readonly Axis[]): number => list.reduce<number>((total, axis) => total * (typeof axis === 'number' ? axis : Number.NaN), 1);
  const kept = axes.filter((_, index) => shape[index] !== 0);
  const length = product(kept) / product(shape.filter((entry) => entry > 0));
  if (Number.isInteger(length)) return length;
  throw new Blip2Error('SHAPE_MISMATCH', 'This reshape leaves an axis unknown', { where: 'Reshape', expected: formatAxes(shape), got: formatAxes(axes) });
}

export function transpose<T extends ElementType>(g: Graph, x: Value<T>, permutation: readonly number[]): Value<T> {
  const axes = permutation.map((index) => axisAt(x.axes, index, 'Transpose'));
  return g.node('Transpose', [x], { type: x.type, axes }, { attributes: { perm: { ints: permutation } } });
}

export function concat<T extends ElementType>(g: Graph, values: readonly [Value<T>, ...Value<T>[]], axis: number): Value<T> {
  const [first, ...others] = values;
  const length = others.reduce((total, { axes }) => addAxes(total, axisAt(axes, axis, 'Concat')), axisAt(first.axes, axis, 'Concat'));
  const at = axis < 0 ? axis + first.axes.length : axis;
  return g.node('Concat', values, { type: first.type, axes: first.axes.map((old, index) => (index === at ? length : old)) }, { attributes: { axis: { int: axis } } });
}

/** Cuts the last axis into `count` equal parts. */
export function splitLast<T extends ElementType>(g: Graph, x: Value<T>, count: number): Value<T>[] {
  const length = fixedAxis(x.axes, -1, 'Split') / count;
  const output = { type: x.type, axes: [...x.axes.slice(0, -1), length] };
  const parts = g.multiNode('Split', [x], Array.from({ length: count }, () => output), { attributes: { axis: { int: -1 }, num_outputs: { int: count } } });
  return parts.flatMap((part) => (part ? [{ ...part, type: x.type }] : []));
}

/** Rows `start` to `end` (excluded) of one axis; an `end` of `Infinity` is the axis's own. `length` names the result where it is not known. */
export function slice<T extends ElementType>(g: Graph, x: Value<T>, axis: number, start: number, end: number, length?: Axis): Value<T> {
  const old = axisAt(x.axes, axis, 'Slice');
  const result = length ?? (Number.isFinite(end) ? end - start : typeof old === 'number' ? old - start : `${old}-${start}`);
  const at = axis < 0 ? axis + x.axes.length : axis;
  const last = Number.isFinite(end) ? end : Number.MAX_SAFE_INTEGER;
  const bounds = [[start], [last], [axis]].map((numbers) => g.constant('int64', [1], numbers));
  return g.node('Slice', [x, ...bounds], { type: x.type, axes: x.axes.map((entry, index) => (index === at ? result : entry)) });
}

/** Repeats axes of length 1 to match `like`, whose leading axes it takes: `[1, n, d] → [batch, n, d]`. */
export function expandBatch<T extends ElementType>(g: Graph, x: Value<T>, like: Value): Value<T> {
  const batch = axisAt(like.axes, 0, 'Expand');
  const size = g.node('Shape', [like], { type: 'int64', axes: [1] }, { attributes: { start: { int: 0 }, end: { int: 1 } } });
  const rest = g.constant('int64', [x.axes.length - 1], x.axes.slice(1).map(() => 1));
  const shape = concat(g, [size, rest], 0);
  return g.node('Expand', [x, shape], { type: x.type, axes: [batch, ...x.axes.slice(1)] });
}
