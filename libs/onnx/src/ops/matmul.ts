import { type Axis, Blip2Error } from '@blip2/interfaces';

import { numberAttribute } from '../attribute.ts';
import { axisAt, broadcastAxes, formatAxes } from '../axes.ts';
import { type Pullbacks, withAxes } from '../gradient/pullback.ts';
import { type Graph, RUNTIME_DOMAIN } from '../graph.ts';
import type { F32, Value } from '../value.ts';
import { sumTo } from './reduce.ts';
import { concat, shapeOf } from './shape.ts';

export interface MatMulOptions {
  /** Whether `a` is `[…, inner, rows]`. Default false. */
  readonly transposeA?: boolean;
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
  { transposeA = false, transposeB = false, alpha = 1 }: MatMulOptions = {},
): Value<'float32'> {
  const inner = axisAt(b.axes, transposeB ? -1 : -2, 'MatMul');
  if (axisAt(a.axes, transposeA ? -2 : -1, 'MatMul') !== inner) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The inner axes of a product must match', {
      where: 'MatMul',
      expected: transposeA ? `[…, ${inner}, rows]` : `[…, ${inner}]`,
      got: formatAxes(a.axes),
    });
  }
  const axes: Axis[] = [
    ...broadcastAxes(a.axes.slice(0, -2), b.axes.slice(0, -2), 'MatMul'),
    axisAt(a.axes, transposeA ? -1 : -2, 'MatMul'),
    axisAt(b.axes, transposeB ? -2 : -1, 'MatMul'),
  ];
  const attributes = {
    ...(transposeA && { transA: { int: 1 } }),
    transB: { int: transposeB ? 1 : 0 },
    alpha: { float: alpha },
  };
  return g.node('FusedMatMul', [a, b], { type: 'float32', axes }, { domain: RUNTIME_DOMAIN, attributes });
}

/** All axes but the last as one, `[rows, width]`. */
export function asRows(g: Graph, x: F32): F32 {
  if (x.axes.length === 2) return x;
  const width = axisAt(x.axes, -1, 'rows');
  const rank = x.axes.length;
  const shape =
    typeof width === 'number'
      ? g.constant('int64', [2], [-1, width])
      : concat(g, [g.constant('int64', [1], [-1]), shapeOf(g, x, rank - 1, rank)], 0);
  return g.node('Reshape', [x, shape], { type: 'float32', axes: ['rows', width] });
}

/** For `y = α · a · b`: `da = α · dy · bᵀ` and `db = α · aᵀ · dy`, each summed over the axes that were broadcast. */
export const MATMUL_PULLBACKS: Pullbacks = {
  'com.microsoft.FusedMatMul': ({ g, node, input, dy }) => {
    const transposeB = numberAttribute(node, 'transB', 0) === 1;
    const alpha = numberAttribute(node, 'alpha', 1);
    if (numberAttribute(node, 'transA', 0) === 1)
      throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The product of a transposed matrix has no gradient', {
        where: node.name,
      });
    return [
      () => sumTo(g, matMul(g, dy, input(1), { transposeB: !transposeB, alpha }), input(0)),
      () => {
        const [a, b] = [input(0), input(1)];
        // A shared matrix takes one product over the rows of all stacks, without a sum.
        const [left, right] = b.axes.length === 2 ? [asRows(g, a), asRows(g, dy)] : [a, dy];
        const shared = transposeB
          ? matMul(g, right, left, { transposeA: true, alpha })
          : matMul(g, left, right, { transposeA: true, alpha });
        return b.axes.length === 2 ? withAxes(shared, b) : sumTo(g, shared, b);
      },
    ];
  },
};
