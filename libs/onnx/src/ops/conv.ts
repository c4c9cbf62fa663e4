import { type Axis, Blip2Error } from '@blip2/interfaces';

import { axisAt, fixedAxis, formatAxes } from '../axes.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';

export interface PatchConvOptions {
  /** `[outChannels, channels, size, size]`. */
  readonly weight: Value<'float32'>;
  /** `[outChannels]`. Default: no bias. */
  readonly bias?: Value<'float32'>;
}

/**
 * Convolution whose stride is its kernel size: each square patch becomes one vector, pixels beyond the last whole patch
 * are dropped. `[batch, channels, height, width] → [batch, outChannels, rows, columns]`; axes of unknown length are
 * named `rows` and `columns`.
 */
export function patchConv(g: Graph, x: Value<'float32'>, { weight, bias }: PatchConvOptions): Value<'float32'> {
  const size = fixedAxis(weight.axes, -1, 'Conv');
  const channels = axisAt(weight.axes, 1, 'Conv');
  if (weight.axes.length !== 4 || weight.axes[2] !== size || x.axes.length !== 4 || x.axes[1] !== channels) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The images and square patches must have the same channels', {
      where: 'Conv',
      expected: `[batch, ${channels}, height, width]`,
      got: `${formatAxes(x.axes)} with ${formatAxes(weight.axes)}`,
    });
  }
  const count = (axis: Axis, name: string): Axis => (typeof axis === 'number' ? Math.floor(axis / size) : name);
  const axes = [
    axisAt(x.axes, 0, 'Conv'),
    axisAt(weight.axes, 0, 'Conv'),
    count(axisAt(x.axes, 2, 'Conv'), 'rows'),
    count(axisAt(x.axes, 3, 'Conv'), 'columns'),
  ];
  const attributes = { kernel_shape: { ints: [size, size] }, strides: { ints: [size, size] } };
  return g.node('Conv', bias ? [x, weight, bias] : [x, weight], { type: 'float32', axes }, { attributes });
}
