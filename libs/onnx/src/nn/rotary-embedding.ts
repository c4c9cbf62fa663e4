import { Blip2Error } from '@blip2/interfaces';

import { numberAttribute } from '../attribute.ts';
import { fixedAxis, formatAxes } from '../axes.ts';
import type { Pullbacks } from '../gradient/pullback.ts';
import { type Graph, RUNTIME_DOMAIN } from '../graph.ts';
import { unary } from '../ops/elementwise.ts';
import type { Value } from '../value.ts';

/** Rotations by position: row `rows[b, i]` of both tables rotates position `i` of batch row `b`. */
export interface Rotations {
  /** `[batch, sequence]`. */
  readonly rows: Value<'int64'>;
  /** `[rotations, headSize / 2]` each. */
  readonly cos: Value<'float32'>;
  readonly sin: Value<'float32'>;
}

/** Heads of the rotated states. */
export interface RotaryHeads {
  readonly numHeads: number;
  /** Width of a head. The elements behind the rotated ones are kept. */
  readonly headSize: number;
}

/**
 * Rotary position embedding (arXiv 2104.09864) of queries or keys `[batch, sequence, heads · headSize]`. Element `i` of
 * a head is paired with element `i + rotated / 2`, the layout of Llama checkpoints. Without `heads`, all of each head
 * is
 * rotated.
 */
export function rotaryEmbedding(
  g: Graph,
  x: Value<'float32'>,
  { rows, cos, sin }: Rotations,
  heads?: RotaryHeads,
): Value<'float32'> {
  const rotated = 2 * fixedAxis(cos.axes, -1, 'RotaryEmbedding');
  const headSize = heads?.headSize ?? rotated;
  const partial = heads &&
    rotated < headSize && { rotary_embedding_dim: { int: rotated }, num_heads: { int: heads.numHeads } };
  if (x.axes.length !== 3 || fixedAxis(x.axes, -1, 'RotaryEmbedding') % headSize !== 0) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The heads must match the width of the rotations', {
      where: 'RotaryEmbedding',
      expected: `[batch, sequence, a multiple of ${headSize}]`,
      got: formatAxes(x.axes),
    });
  }
  return g.node(
    'RotaryEmbedding',
    [x, rows, cos, sin],
    { type: 'float32', axes: x.axes },
    { domain: RUNTIME_DOMAIN, attributes: { interleaved: { int: 0 }, ...partial } },
  );
}

/** The inverse of a rotation is the rotation by the opposite angle. */
export const ROTARY_PULLBACKS: Pullbacks = {
  'com.microsoft.RotaryEmbedding': ({ g, node, input, dy }) => {
    const [width, heads] = [numberAttribute(node, 'rotary_embedding_dim', 0), numberAttribute(node, 'num_heads', 0)];
    const partial = width > 0 && { rotary_embedding_dim: { int: width }, num_heads: { int: heads } };
    return [
      () =>
        g.node(
          'RotaryEmbedding',
          [dy, input(1), input(2), unary(g, 'Neg', input(3))],
          { type: 'float32', axes: dy.axes },
          { domain: RUNTIME_DOMAIN, attributes: { interleaved: { int: 0 }, ...partial } },
        ),
      undefined,
      undefined,
      undefined,
    ];
  },
};
