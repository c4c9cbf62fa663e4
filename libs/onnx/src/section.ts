import { Blip2Error, type Signature } from '@blip2/interfaces';

import { formatAxes } from './axes.ts';
import type { Value } from './value.ts';
import type { Section } from './weights.ts';

/**
 * The inputs of a section under the axes that it declares: where two graphs meet they may name equal lengths otherwise.
 * @throws Blip2Error `SHAPE_MISMATCH` if a value has another type, rank or known length.
 */
export function sectionInputs(where: string, section: Section, { inputs }: Signature): Record<string, Value> {
  const entries = Object.entries(inputs).map(([key, spec]): [string, Value] => {
    const value = section.input(key, spec);
    const fits =
      value.type === spec.type &&
      value.axes.length === spec.axes.length &&
      value.axes.every((axis, index) => {
        const declared = spec.axes[index];
        return typeof axis !== 'number' || typeof declared !== 'number' || axis === declared;
      });
    if (fits) return [key, { ...value, axes: spec.axes }];
    throw new Blip2Error('SHAPE_MISMATCH', 'The input of a section must have its declared type and shape', {
      where: `${where}.${key}`,
      expected: `${spec.type} ${formatAxes(spec.axes)}`,
      got: `${value.type} ${formatAxes(value.axes)}`,
    });
  });
  return Object.fromEntries(entries);
}
