import { axisAt } from '../axes.ts';
import type { Graph } from '../graph.ts';
import type { Value } from '../value.ts';
import { concat } from './shape.ts';

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
  const grid = g.node(
    'Shape',
    [like],
    { type: 'int64', axes: [2] },
    { attributes: { start: { int: 2 }, end: { int: 4 } } },
  );
  const leading = g.node(
    'Shape',
    [x],
    { type: 'int64', axes: [2] },
    { attributes: { start: { int: 0 }, end: { int: 2 } } },
  );
  const attributes = {
    mode: { string: 'cubic' },
    cubic_coeff_a: { float: antialias ? ANTIALIASED_CUBIC_COEFFICIENT : TORCH_CUBIC_COEFFICIENT },
    coordinate_transformation_mode: { string: 'half_pixel' },
    antialias: { int: antialias ? 1 : 0 },
    // torch renormalizes the weights at the border when it antialiases.
    ...(antialias && { exclude_outside: { int: 1 } }),
  };
  const axes = [
    axisAt(x.axes, 0, 'Resize'),
    axisAt(x.axes, 1, 'Resize'),
    axisAt(like.axes, 2, 'Resize'),
    axisAt(like.axes, 3, 'Resize'),
  ];
  return g.node(
    'Resize',
    [x, undefined, undefined, concat(g, [leading, grid], 0)],
    { type: 'float32', axes },
    { attributes },
  );
}
