import { f32 } from '@blip2/interfaces';
import { assumeAxes, cast, type F32, type Graph, MASKED, mul, type Value } from '@blip2/onnx';

/** Length of an axis of past and new positions. */
export const TOTAL = 'past+sequence';

/** A number as a value. */
export function integer(g: Graph, value: number): Value<'int64'> {
  return g.constant('int64', [], [value]);
}

/** The length of an axis, a scalar. */
export function lengthOf(g: Graph, x: Value, axis: number): Value<'int64'> {
  const shape: Value<'int64'> = g.node('Shape', [x], { type: 'int64', axes: [x.axes.length] });
  return g.node('Gather', [shape, integer(g, axis)], { type: 'int64', axes: [] }, { attributes: { axis: { int: 0 } } });
}

/** The integers from `start` to `end`, exclusive. */
export function range(g: Graph, start: Value<'int64'>, end: Value<'int64'>, axis: string): Value<'int64'> {
  return g.node('Range', [start, end, integer(g, 1)], { type: 'int64', axes: [axis] });
}

export function unsqueeze<V extends Value>(g: Graph, x: V, axes: readonly number[], result: V['axes']): V {
  const at = g.constant('int64', [axes.length], axes);
  return g.node('Unsqueeze', [x, at], { type: x.type, axes: result }) as V;
}

export function subtract(g: Graph, a: Value<'int64'>, b: Value<'int64'>): Value<'int64'> {
  return g.node('Sub', [a, b], { type: 'int64', axes: a.axes.length >= b.axes.length ? a.axes : b.axes });
}

/** What the inputs of a causal decoder are computed from. */
export interface NewPositions {
  /** Rank of each new position among those that the mask includes, from 1 on; 0 for padding. `[batch, sequence]`. */
  readonly ranks: Value<'int64'>;
  /** As `ranks`, of past and new positions. `[batch, past+sequence]`. */
  readonly allRanks: Value<'int64'>;
  /** Number of past and new positions. */
  readonly total: Value<'int64'>;
  /** 0 where a new position attends to another one, else the lowest float. `[batch, 1, sequence, past+sequence]`. */
  readonly bias: F32;
  /** Whether a new position attends to another one, of the same shape. */
  readonly attended: Value<'bool'>;
  /** Number of new positions. */
  readonly sequence: Value<'int64'>;
}

/** Positions, ranks and masks of new positions, from a mask `[batch, past+sequence]`. */
export function newPositions(g: Graph, mask: Value<'int64'>, embeds: F32): NewPositions {
  const [sequence, total] = [lengthOf(g, embeds, 1), lengthOf(g, mask, 1)];
  const sums: Value<'int64'> = g.node('CumSum', [mask, integer(g, 1)], { type: 'int64', axes: mask.axes });
  const allRanks = mul(g, sums, mask);
  const past = subtract(g, total, sequence);
  const one = (x: Value<'int64'>): Value<'int64'> => unsqueeze(g, x, [0], [1]);
  const ranks: Value<'int64'> = g.node('Slice', [allRanks, one(past), one(total), g.constant('int64', [1], [1])], {
    type: 'int64',
    axes: ['batch', 'sequence'],
  });
  const keys = range(g, integer(g, 0), total, TOTAL);
  const queries = unsqueeze(g, range(g, past, total, 'sequence'), [1], ['sequence', 1]);
  const causal: Value<'bool'> = g.node('LessOrEqual', [keys, queries], { type: 'bool', axes: ['sequence', TOTAL] });
  const kept = unsqueeze(g, cast(g, mask, 'bool'), [1, 2], ['batch', 1, 1, TOTAL]);
  const attended = and(g, causal, kept);
  return { ranks, allRanks, total, sequence, attended, bias: biasOf(g, attended) };
}

/** 0 where a position is attended to, else the lowest float. */
export function biasOf(g: Graph, attended: Value<'bool'>): F32 {
  const number = (value: number): F32 => g.constant('float32', [], [value]);
  return g.node('Where', [attended, number(0), number(MASKED)], { type: 'float32', axes: attended.axes });
}

export function and(g: Graph, a: Value<'bool'>, b: Value<'bool'>): Value<'bool'> {
  return g.node('And', [a, b], { type: 'bool', axes: ['batch', 1, 'sequence', TOTAL] });
}

/** Positions from 0 on; padding has position 0. */
export function countedPositions(g: Graph, ranks: Value<'int64'>): Value<'int64'> {
  return g.node('Max', [subtract(g, ranks, integer(g, 1)), integer(g, 0)], { type: 'int64', axes: ranks.axes });
}

/** Excludes positions at a distance of `window` and more. */
export function windowedBias(g: Graph, { ranks, allRanks, attended }: NewPositions, window: number): F32 {
  const queries = unsqueeze(g, countedPositions(g, ranks), [1, 3], ['batch', 1, 'sequence', 1]);
  const keys = unsqueeze(g, countedPositions(g, allRanks), [1, 2], ['batch', 1, 1, TOTAL]);
  const near: Value<'bool'> = g.node('Greater', [keys, subtract(g, queries, integer(g, window))], {
    type: 'bool',
    axes: ['batch', 1, 'sequence', TOTAL],
  });
  return biasOf(g, and(g, attended, near));
}

/** Keys or values of new positions behind those of earlier ones: what the next step takes as its past. */
export function appended(g: Graph, past: F32, fresh: F32): F32 {
  const joined: F32 = g.node(
    'Concat',
    [past, fresh],
    { type: 'float32', axes: past.axes },
    { attributes: { axis: { int: 2 } } },
  );
  return assumeAxes(joined, [past.axes[0] ?? 'batch', past.axes[1] ?? 1, TOTAL, past.axes[3] ?? 1], 'past, then new');
}

/** The specification of keys or values, `[batch, heads, positions, headSize]`. */
export function keysSpec(heads: number, positions: string, headSize: number): ReturnType<typeof f32> {
  return f32('batch', heads, positions, headSize);
}
