import { type Axis, Blip2Error } from '@blip2/interfaces';

import { axisAt, fixedAxis, formatAxes } from '../axes.ts';
import { type Pullbacks, withAxes } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import type { F32, Value } from '../value.ts';
import { binary } from './elementwise.ts';
import { reduce } from './reduce.ts';
import { concat, shapeOf, slice, transpose } from './shape.ts';

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

/**
 * A transposed convolution gives the gradient of the pixels; those beyond the last whole patch have none. That of the
 * weight is a convolution of the pixels with the gradient, whose entries are a patch apart.
 */
export const CONV_PULLBACKS: Pullbacks = {
  Conv: ({ g, input, dy }) => {
    const [x, weight] = [input(0), input(1)];
    const size = fixedAxis(weight.axes, -1, 'Conv');
    return [
      () => {
        const pixels = g.node(
          'ConvTranspose',
          [dy, weight],
          { type: 'float32', axes: [...x.axes.slice(0, 2), 'whole rows', 'whole columns'] },
          { attributes: { strides: { ints: [size, size] }, kernel_shape: { ints: [size, size] } } },
        );
        const beyond = binary(g, 'Sub', shapeOf(g, x), shapeOf(g, pixels));
        const pads = concat(g, [g.constant('int64', [4], [0, 0, 0, 0]), beyond], 0);
        return g.node('Pad', [pixels, pads, g.constant('float32', [], [0])], { type: 'float32', axes: x.axes });
      },
      () => {
        const swap = (value: F32): F32 => transpose(g, value, [1, 0, 2, 3]);
        const all = g.node(
          'Conv',
          [swap(x), swap(dy)],
          { type: 'float32', axes: [weight.axes[1] ?? 1, weight.axes[0] ?? 1, 'taps', 'taps across'] },
          { attributes: { dilations: { ints: [size, size] } } },
        );
        return withAxes(swap(slice(g, slice(g, all, 2, 0, size), 3, 0, size)), weight);
      },
      () => reduce(g, 'ReduceSum', dy, [0, 2, 3], { keep: false }),
    ];
  },
};
