import { Blip2Error } from '@blip2/interfaces';

import { axisAt, fixedAxis, formatAxes } from '../axes.ts';
import { type Graph, RUNTIME_DOMAIN } from '../graph.ts';
import { mul } from '../ops/elementwise.ts';
import { shapeOf } from '../ops/shape.ts';
import type { F32, Sign, Value } from '../value.ts';
import type { QuantizedValue } from '../weights.ts';
import { ACTIVATION_GRIDS } from './activation-grid.ts';

type ColumnQuantized = Extract<QuantizedValue, { readonly precision: 'int8' }>;
type BlockQuantized = Exclude<QuantizedValue, ColumnQuantized>;

/** Scale of a row of zeros, chosen so that its inverse is not a denormal number. */
const MIN_SCALE = 1e-30;
/**
 * Level at which `MatMulNBits` quantizes blocks of activations too and computes in 8-bit integers. Other levels widen
 * the weights first, which is many times slower.
 */
const INTEGER_ACCURACY = 4;

/**
 * `x · Wᵀ` in 8-bit integers, with one scale per row of `x` and one per output. A single scale for all of `x` would be
 * cheaper, but the outlier features of language models, a hundred times as large as others, would take all its bits
 * (arXiv 2208.07339).
 */
export function rowwiseProduct(g: Graph, x: F32, weight: ColumnQuantized): F32 {
  const { bytes, scales, zero } = quantizedRows(g, x);
  return mul(g, integerProduct(g, bytes, zero, weight), scales);
}

/**
 * `x · Wᵀ` over blocks of 4-bit or 8-bit weights with one scale each. The kernel quantizes activations in blocks too.
 * `in` may be any length: the last block may be shorter.
 */
export function blockProduct(
  g: Graph,
  x: F32,
  { precision, values, scales, blockSize }: BlockQuantized,
  [out, inner]: readonly [out: number, inner: number],
): F32 {
  if (axisAt(x.axes, -1, 'MatMulNBits') !== inner) throw mismatch('MatMulNBits', inner, x);
  const attributes = {
    K: { int: inner },
    N: { int: out },
    bits: { int: precision === 'q4' ? 4 : 8 },
    block_size: { int: blockSize },
    accuracy_level: { int: INTEGER_ACCURACY },
  };
  return g.node('MatMulNBits', [x, values, scales], productOutput(x, out), { domain: RUNTIME_DOMAIN, attributes });
}

interface QuantizedRows {
  /** Same shape as `x`. */
  readonly bytes: Value<'uint8'>;
  /** `[…, 1]`. */
  readonly scales: F32;
  /** Zero point. */
  readonly zero: Value<'uint8'>;
}

/** Rows of activations as bytes, computed once: several layers often take the same hidden states (Q, K and V). */
function quantizedRows(g: Graph, x: F32): QuantizedRows {
  return g.once('quantized rows', x, () => quantizeActivations(g, x));
}

function quantizeActivations(g: Graph, x: F32): QuantizedRows {
  const perRow = [...x.axes.slice(0, -1), 1];
  const reduce = (operator: 'ReduceMax' | 'ReduceMin'): F32 =>
    g.node(
      operator,
      [x, g.constant('int64', [1], [-1])],
      { type: 'float32', axes: perRow },
      { attributes: { keepdims: { int: 1 } } },
    );
  const sign = g.signOf(x);
  const { 8: eight, 7: seven } = ACTIVATION_GRIDS[sign];
  const scaleFor = (bound: F32, steps: number, atSevenBits: number): F32 =>
    mul(g, bound, g.numberByBits('float32', [], { 8: 1 / steps, 7: 1 / atSevenBits }));
  const bounds = [
    scaleFor(reduce('ReduceMax'), eight.above, seven.above),
    ...(eight.below !== undefined && seven.below !== undefined
      ? [scaleFor(reduce('ReduceMin'), -eight.below, -seven.below)]
      : []),
    g.constant('float32', [], [MIN_SCALE]),
  ];
  const scales: F32 = g.node('Max', bounds, { type: 'float32', axes: perRow });
  return { bytes: quantizeRows(g, x, scales, zeroOf(g, sign, [1])), scales, zero: zeroOf(g, sign, []) };
}

function zeroOf(g: Graph, sign: Sign, dims: readonly [] | readonly [1]): Value<'uint8'> {
  const { 8: eight, 7: seven } = ACTIVATION_GRIDS[sign];
  return g.numberByBits('uint8', dims, { 8: eight.zero, 7: seven.zero });
}

/** `QuantizeLinear` takes one scale per row of a matrix only, so `x` is flattened to one for it. */
function quantizeRows(g: Graph, x: F32, scales: F32, zero: Value<'uint8'>): Value<'uint8'> {
  const features = fixedAxis(x.axes, -1, 'QuantizeLinear');
  const matrix = { axes: ['rows', features] };
  const flat: F32 = g.node('Reshape', [x, g.constant('int64', [2], [-1, features])], { type: 'float32', ...matrix });
  const flatScales: F32 = g.node('Reshape', [scales, g.constant('int64', [1], [-1])], {
    type: 'float32',
    axes: ['rows'],
  });
  // The name of an axis stands for one length, so values of equal axes share what depends on the shape alone.
  const zeros = g.once('zero points', `${zero.name} for ${formatAxes(x.axes.slice(0, -1))}`, (): Value<'uint8'> =>
    g.node('Expand', [zero, shapeOf(g, flatScales)], { type: 'uint8', axes: ['rows'] }),
  );
  const bytes: Value<'uint8'> = g.node(
    'QuantizeLinear',
    [flat, flatScales, zeros],
    { type: 'uint8', ...matrix },
    { attributes: { axis: { int: 0 } } },
  );
  // A shape that is computed may have zeros, which otherwise stand for the length of `bytes`.
  const attributes = { allowzero: { int: 1 } };
  return g.declare(g.node('Reshape', [bytes, sameShape(g, x)], { type: 'uint8', axes: x.axes }, { attributes }));
}

/** The shape of `x` for `Reshape`: a constant if at most one axis is unknown, which onnxruntime then infers. */
function sameShape(g: Graph, x: Value): Value<'int64'> {
  const unknown = x.axes.filter((axis) => typeof axis !== 'number').length;
  if (unknown <= 1)
    return g.constant(
      'int64',
      [x.axes.length],
      x.axes.map((axis) => (typeof axis === 'number' ? axis : -1)),
    );
  return g.once('shape', formatAxes(x.axes), () => shapeOf(g, x));
}

/** Product of unsigned and signed bytes, multiplied by the scale of each output. */
function integerProduct(
  g: Graph,
  bytes: Value<'uint8'>,
  zero: Value<'uint8'>,
  { values, scales }: ColumnQuantized,
): F32 {
  const [inner, out] = [axisAt(values.axes, 0, 'MatMulIntegerToFloat'), axisAt(values.axes, 1, 'MatMulIntegerToFloat')];
  if (axisAt(bytes.axes, -1, 'MatMulIntegerToFloat') !== inner) throw mismatch('MatMulIntegerToFloat', inner, bytes);
  const inputs = [bytes, values, g.constant('float32', [], [1]), scales, zero];
  return g.node('MatMulIntegerToFloat', inputs, productOutput(bytes, out), { domain: RUNTIME_DOMAIN });
}

function productOutput(
  { axes }: Value,
  out: number | string,
): { readonly type: 'float32'; readonly axes: (number | string)[] } {
  return { type: 'float32', axes: [...axes.slice(0, -1), out] };
}

function mismatch(where: string, inner: number | string, { axes }: Value): Blip2Error {
  return new Blip2Error('SHAPE_MISMATCH', 'The inner axes of a product must match', {
    where,
    expected: `[…, ${inner}]`,
    got: formatAxes(axes),
  });
}
