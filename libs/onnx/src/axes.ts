import { type Axis, Blip2Error } from '@blip2/interfaces';

export function formatAxes(axes: readonly Axis[]): string {
  return `[${axes.join(', ')}]`;
}

export function sameAxes(a: readonly Axis[], b: readonly Axis[]): boolean {
  return a.length === b.length && a.every((axis, index) => axis === b[index]);
}

/** Shape of an element-wise result: axes are aligned on the right, and 1 stretches. */
export function broadcastAxes(a: readonly Axis[], b: readonly Axis[], where: string): Axis[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const left = a[index - rank + a.length] ?? 1;
    const right = b[index - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new Blip2Error('SHAPE_MISMATCH', 'These values do not broadcast', {
        where,
        expected: formatAxes(a),
        got: formatAxes(b),
      });
    }
    return left === 1 ? right : left;
  });
}

/** Length of two parts laid end to end. */
export function addAxes(a: Axis, b: Axis): Axis {
  return typeof a === 'number' && typeof b === 'number' ? a + b : `${a}+${b}`;
}

/** The axis at `index`, counted from the end if negative. */
export function axisAt(axes: readonly Axis[], index: number, where: string): Axis {
  const axis = axes.at(index);
  if (axis === undefined)
    throw new Blip2Error('SHAPE_MISMATCH', 'No such axis', { where, expected: `axis ${index}`, got: formatAxes(axes) });
  return axis;
}

/** `index`, or what it means from the end, as an index from the start. */
export function axisIndex(axes: readonly Axis[], index: number, where: string): number {
  axisAt(axes, index, where);
  return index < 0 ? index + axes.length : index;
}

/** An axis whose length must be known when the graph is written. */
export function fixedAxis(axes: readonly Axis[], index: number, where: string): number {
  const axis = axisAt(axes, index, where);
  if (typeof axis === 'string')
    throw new Blip2Error('SHAPE_MISMATCH', 'This axis needs a fixed length', { where, got: formatAxes(axes) });
  return axis;
}
