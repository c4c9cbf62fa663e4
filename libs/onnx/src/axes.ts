import { type Axis, Blip2Error } from '@blip2/interfaces';

export function formatAxes(axes: readonly Axis[]): string {
  return `[${axes.join(', ')}]`;
}

export function sameAxes(a: readonly Axis[], b: readonly Axis[]): boolean {
  return a.length === b.length && a.every((axis, index) => axis === b[index]);
}

/** Shape of an element-wise result: axes are aligned on the right, and an axis of length 1 broadcasts. */
export function broadcastAxes(a: readonly Axis[], b: readonly Axis[], where: string): Axis[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const left = a[index - rank + a.length] ?? 1;
    const right = b[index - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new Blip2Error('SHAPE_MISMATCH', 'Inputs must broadcast', {
        where,
        expected: formatAxes(a),
        got: formatAxes(b),
      });
    }
    return left === 1 ? right : left;
  });
}

/** Length of an axis after concatenation. */
export function addAxes(a: Axis, b: Axis): Axis {
  return typeof a === 'number' && typeof b === 'number' ? a + b : `${a}+${b}`;
}

/** The axis at `index`, counted from the end if negative. */
export function axisAt(axes: readonly Axis[], index: number, where: string): Axis {
  const axis = axes.at(index);
  if (axis === undefined)
    throw new Blip2Error('SHAPE_MISMATCH', `A value must have axis ${index}`, { where, got: formatAxes(axes) });
  return axis;
}

/** The index of an axis from the start; a negative `index` counts from the end. */
export function axisIndex(axes: readonly Axis[], index: number, where: string): number {
  axisAt(axes, index, where);
  return index < 0 ? index + axes.length : index;
}

/** The length of an axis that must be known when the graph is built. */
export function fixedAxis(axes: readonly Axis[], index: number, where: string): number {
  const axis = axisAt(axes, index, where);
  if (typeof axis === 'string')
    throw new Blip2Error('SHAPE_MISMATCH', `Axis ${index} must have a fixed length`, { where, got: formatAxes(axes) });
  return axis;
}
