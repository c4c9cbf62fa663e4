import { DATA_TYPE } from '../element-type.ts';
import type { GraphNode } from '../write-model.ts';
import { floatOf, inputOf, intOf, type Lowering, type LoweringRule } from './lowering.ts';

/** `TensorProto.DataType.UINT4`. */
const UINT4 = 21;
/** The zero points of block-quantized weights. */
const ZERO_OF_Q8 = 128;
const ZERO_OF_Q4 = 0x88;

/** The last two axes exchanged; computed once per value. */
export function transposed(to: Lowering, node: GraphNode, x: string, rank: number): string {
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  perm.push(...perm.splice(-2).toReversed());
  return to.add(node, 'Transpose', [x], { perm: { ints: perm } });
}

/** `alpha · a · b`, with `b` transposed or not. */
export const fusedMatMul: LoweringRule = (to, node) => {
  const [a, b] = [inputOf(node, 0), inputOf(node, 1)];
  const right = intOf(node, 'transB') === 1 ? transposed(to, node, b, to.axesOf(b).length) : b;
  const alpha = floatOf(node, 'alpha') ?? 1;
  if (alpha === 1) return void to.add(node, 'MatMul', [a, right], {}, node.output[0]);
  const product = to.add(node, 'MatMul', [a, right]);
  to.add(node, 'Mul', [product, to.constant('float32', [], [alpha])], {}, node.output[0]);
};

/** Bytes times bytes in 32-bit integers, then the scale of each output. The scale of `a` is 1. */
export const integerProduct: LoweringRule = (to, node) => {
  const [bytes, values, , scales, zero] = [0, 1, 2, 3, 4].map((index) => inputOf(node, index)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const product = to.add(node, 'MatMulInteger', [bytes, values, zero]);
  const floats = to.add(node, 'Cast', [product], { to: { int: DATA_TYPE.float32 } });
  to.add(node, 'Mul', [floats, scales], {}, node.output[0]);
};

/**
 * A product with a matrix in blocks of 4-bit or 8-bit integers: the matrix is dequantized, one scale per block, and
 * multiplied in float32. The last block may be padded; what is beyond `K` is cut off.
 */
export const blockProduct: LoweringRule = (to, node) => {
  const [x, values, scales] = [inputOf(node, 0), inputOf(node, 1), inputOf(node, 2)];
  const [inner, out, bits, blockSize] = ['K', 'N', 'bits', 'block_size'].map((name) => intOf(node, name) ?? 0) as [
    number,
    number,
    number,
    number,
  ];
  const blocks = Math.ceil(inner / blockSize);
  const padded = blocks * blockSize;
  const [type, zero] = bits === 4 ? [UINT4, ZERO_OF_Q4] : [DATA_TYPE.uint8, ZERO_OF_Q8];
  to.reinterpret(values, type, [out, padded]);
  to.reinterpret(scales, DATA_TYPE.float32, [out, blocks]);
  const zeros = to.bytes(`zeros of ${bits} bits [${out}, ${blocks}]`, type, [out, blocks], () =>
    new Uint8Array(bits === 4 ? Math.ceil((out * blocks) / 2) : out * blocks).fill(zero),
  );
  const attributes = { axis: { int: 1 }, block_size: { int: blockSize } };
  const matrix = to.add(node, 'DequantizeLinear', [values, scales, zeros], attributes);
  const bounds = [0, inner, 1].map((number) => to.constant('int64', [1], [number]));
  const exact = padded === inner ? matrix : to.add(node, 'Slice', [matrix, ...bounds]);
  to.add(node, 'MatMul', [x, transposed(to, node, exact, 2)], {}, node.output[0]);
};
