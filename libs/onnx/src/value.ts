import type { Axis } from '@blip2/interfaces';

import type { ElementType } from './element-type.ts';

/** An edge of a graph: something computed, given or stored, with its shape. Only a `Graph` makes them. */
export interface Value<T extends ElementType = ElementType> {
  readonly name: string;
  readonly type: T;
  readonly axes: readonly Axis[];
}
