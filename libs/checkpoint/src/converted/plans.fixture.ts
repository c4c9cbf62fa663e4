import type { PlannedWeight, Precision, WeightStore } from '@blip2/interfaces';

/** Matrices at a precision, everything else as floats. */
export function planOf({ tensors }: WeightStore, precision: Precision): PlannedWeight[] {
  return [...tensors.values()].map(({ name, shape }) => ({
    name,
    shape,
    precision: shape.length === 2 ? precision : 'fp32',
  }));
}
