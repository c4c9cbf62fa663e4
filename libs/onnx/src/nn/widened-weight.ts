import { axisAt } from '../axes.ts';
import { type Graph, RUNTIME_DOMAIN } from '../graph.ts';
import { cast } from '../ops/cast.ts';
import { add, scale } from '../ops/elementwise.ts';
import { matMul } from '../ops/matmul.ts';
import { shapeOf, slice } from '../ops/shape.ts';
import type { F32, Value } from '../value.ts';
import type { QuantizedValue } from '../weights.ts';

/**
 * `dy · W`, `[…, out]` → `[…, in]`, with a quantized matrix as floats: exactly the numbers that the integer kernels
 * multiply by.
 */
export function widenedProduct(
  g: Graph,
  dy: F32,
  weight: QuantizedValue,
  [out, inner]: readonly [out: number, inner: number],
): F32 {
  const scales = afterwards(g, weight.scales, dy);
  if (weight.precision === 'int8') {
    const columns: F32 = g.node(
      'DequantizeLinear',
      [weight.values, scales],
      { type: 'float32', axes: [inner, out] },
      { attributes: { axis: { int: 1 } } },
    );
    return matMul(g, dy, columns, { transposeB: true });
  }
  const { values, blockSize } = weight;
  const [blocks, bytes] = [Number(axisAt(values.axes, 1, 'blocks')), Number(axisAt(values.axes, 2, 'blocks'))];
  const rows: Value<'uint8'> = g.node('Reshape', [values, g.constant('int64', [2], [out, blocks * bytes])], {
    type: 'uint8',
    axes: [out, blocks * bytes],
  });
  const all = Array.from({ length: out }, (_, row) => row);
  const whole: F32 = g.node(
    'GatherBlockQuantized',
    [rows, g.constant('int64', [out], all), scales],
    { type: 'float32', axes: [out, blocks * blockSize] },
    {
      domain: RUNTIME_DOMAIN,
      attributes: {
        gather_axis: { int: 0 },
        quantize_axis: { int: 1 },
        block_size: { int: blockSize },
        bits: { int: weight.precision === 'q4' ? 4 : 8 },
      },
    },
  );
  // The last block may be longer than the row.
  return matMul(g, dy, blocks * blockSize === inner ? whole : slice(g, whole, 1, 0, inner));
}

/**
 * The same scales, as a value that depends on `dy`. onnxruntime runs nodes over constants alone first and keeps all
 * their results: every widened matrix would be in memory at once.
 */
function afterwards(g: Graph, scales: F32, dy: F32): F32 {
  const zero = scale(g, cast(g, shapeOf(g, dy, 0, 1), 'float32'), 0);
  return add(g, scales, zero);
}
