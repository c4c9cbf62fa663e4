import type { Axis } from '@blip2/interfaces';

import { numberAttribute } from '../attribute.ts';
import { axisAt, fixedAxis } from '../axes.ts';
import { type Pullbacks, withAxes } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import type { F32, Value } from '../value.ts';
import { matMul } from './matmul.ts';
import { concat, reshape, shapeOf } from './shape.ts';

/** Cubic coefficients of torch's bicubic `interpolate`, without and with antialiasing. */
const TORCH_CUBIC_COEFFICIENT = -0.75;
const ANTIALIASED_CUBIC_COEFFICIENT = -0.5;

/**
 * Resizes the grid of `x` `[1, channels, rows, columns]` to that of `like` `[batch, …, rows, columns]`. Equal to
 * torch's `interpolate` with `mode='bicubic', align_corners=False`. Default: no antialiasing.
 */
export function resizeBicubicLike(
  g: Graph,
  x: Value<'float32'>,
  like: Value,
  { antialias = false }: { readonly antialias?: boolean } = {},
): Value<'float32'> {
  const axes = [
    axisAt(x.axes, 0, 'Resize'),
    axisAt(x.axes, 1, 'Resize'),
    axisAt(like.axes, 2, 'Resize'),
    axisAt(like.axes, 3, 'Resize'),
  ];
  return resizeBicubic(g, x, concat(g, [shapeOf(g, x, 0, 2), shapeOf(g, like, 2, 4)], 0), axes, antialias);
}

function resizeBicubic(g: Graph, x: F32, shape: Value<'int64'>, axes: readonly Axis[], antialias: boolean): F32 {
  const attributes = {
    mode: { string: 'cubic' },
    cubic_coeff_a: { float: antialias ? ANTIALIASED_CUBIC_COEFFICIENT : TORCH_CUBIC_COEFFICIENT },
    coordinate_transformation_mode: { string: 'half_pixel' },
    antialias: { int: antialias ? 1 : 0 },
    // torch renormalizes the weights at the border when it antialiases.
    ...(antialias && { exclude_outside: { int: 1 } }),
  };
  return g.node('Resize', [x, undefined, undefined, shape], { type: 'float32', axes }, { attributes });
}

/**
 * Resizing is linear in each direction: rows are multiplied by one matrix and columns by another, which are found by
 * resizing the identity. The pullback multiplies by their transposes.
 */
export const RESIZE_PULLBACKS: Pullbacks = {
  Resize: ({ g, node, input, dy }) => [
    () => {
      const [, , rows, columns] = dy.axes as [Axis, Axis, Axis, Axis];
      const one = g.constant('int64', [1], [1]);
      const matrix = (length: number, to: Axis, axis: number): F32 => {
        const identity = Array.from({ length: length * length }, (_, index) =>
          index % length === Math.floor(index / length) ? 1 : 0,
        );
        const target = concat(g, [g.constant('int64', [2], [1, length]), shapeOf(g, dy, axis, axis + 1), one], 0);
        const axes = [1, length, to, 1];
        const resized = resizeBicubic(
          g,
          g.constant('float32', [1, length, length, 1], identity),
          target,
          axes,
          numberAttribute(node, 'antialias', 0) === 1,
        );
        return reshape(g, resized, [length, -1], String(to));
      };
      const x = input(0);
      const ofRows = withAxes(matrix(fixedAxis(x.axes, 2, 'Resize'), rows, 2), { axes: [x.axes[2] ?? 1, rows] });
      const ofColumns = withAxes(matrix(fixedAxis(x.axes, 3, 'Resize'), columns, 3), {
        axes: [x.axes[3] ?? 1, columns],
      });
      return matMul(g, matMul(g, ofRows, dy), ofColumns, { transposeB: true });
    },
    undefined,
    undefined,
    undefined,
  ],
};
