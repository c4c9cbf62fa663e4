import { type Axis, Blip2Error } from '@blip2/interfaces';

import { formatAxes } from '../axes.ts';
import type { ElementType } from '../element-type.ts';
import type { Value } from '../value.ts';

/**
 * The same value with axes that could not be inferred. `why` states what makes them true.
 * @throws Blip2Error `SHAPE_MISMATCH` if the rank or a length that is known differs.
 */
export function assumeAxes<T extends ElementType>(x: Value<T>, axes: readonly Axis[], why: string): Value<T> {
  const contradicts = axes.some((axis, index) => {
    const known = x.axes[index];
    return typeof axis === 'number' && typeof known === 'number' && axis !== known;
  });
  if (axes.length === x.axes.length && !contradicts) return { ...x, axes };
  throw new Blip2Error('SHAPE_MISMATCH', `The assumed axes contradict the inferred ones (${why})`, {
    where: 'assumeAxes',
    expected: formatAxes(axes),
    got: formatAxes(x.axes),
  });
}
