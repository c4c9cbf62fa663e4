import type { Axis } from '@blip2/interfaces';

import type { ElementType } from './element-type.ts';

/** An edge of a graph with its element type and shape: a node output, a graph input or an initializer. */
export interface Value<T extends ElementType = ElementType> {
  readonly name: string;
  readonly type: T;
  readonly axes: readonly Axis[];
}

/** A float32 value, as almost all values of a model are. */
export type F32 = Value<'float32'>;

/**
 * Sign of an activation's elements: none is negative (after ReLU), negative ones stay close to zero (after GELU), or
 * nothing is known.
 */
export type Sign = 'signed' | 'mostlyPositive' | 'nonNegative';
