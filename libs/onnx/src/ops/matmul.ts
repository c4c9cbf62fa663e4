import { type Axis, Blip2Error } from '@blip2/interfaces';

import { axisAt, broadcastAxes, formatAxes } from '../axes.ts';
import { type Graph, RUNTIME_DOMAIN } from '../graph.ts';
import type { Value } from '../value.ts';

export interface MatMulOptions {
  /** Whether `b` is `[…, columns, inner]`. Default false. */
  readonly transposeB?: boolean;
  /** Factor of the product. Default 1. */
  readonly alpha?: number;
}

/** `alpha · a · b` over the last two axes: `[…, rows, inner] · […, inner, columns] → […, rows, columns]`. */
export function matMul(
  g: Graph,
  a: Value<'float32'>,
  b: Value<'float32'>,
  { transposeB = false, alpha = 1 }: MatMulOptions = {},
): Value<'float32'> {
  const inner = axisAt(b.axes, transposeB ? -1 : -2, 'MatMul');
  if (axisAt(a.axes, -1, 'MatMul') !== inner) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The inner axes of a product must match', {
      where: 'MatMul',
      expected: `[…, ${inner}]`,
      got: formatAxes(a.axes),
    });
  }
  const axes: Axis[] = [
    ...broadcastAxes(a.axes.slice(0, -2), b.axes.slice(0, -2), 'MatMul'),
    axisAt(a.axes, -2, 'MatMul'),
    axisAt(b.axes, transposeB ? -2 : -1, 'MatMul'),
  ];
  const attributes = { transB: { int: transposeB ? 1 : 0 }, alpha: { float: alpha } };
  return g.node('FusedMatMul', [a, b], { type: 'float32', axes }, { domain: RUNTIME_DOMAIN, attributes });
}
