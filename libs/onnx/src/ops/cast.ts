import { DATA_TYPE, type ElementType } from '../element-type.ts';
import type { Pullbacks } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';

/** Converts the elements to another type. Adds no node if `x` already has it. */
export function cast<T extends ElementType>(g: Graph, x: Value, type: T): Value<T> {
  if (isOfType(x, type)) return x;
  return g.node('Cast', [x], { type, axes: x.axes }, { attributes: { to: { int: DATA_TYPE[type] } } });
}

function isOfType<T extends ElementType>(x: Value, type: T): x is Value<T> {
  return x.type === type;
}

export const CAST_PULLBACKS: Pullbacks = { Cast: ({ dy }) => [() => dy], Identity: ({ dy }) => [() => dy] };
