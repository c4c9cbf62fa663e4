import { axisAt, fixedAxis } from '../axes.ts';
import type { GraphNode } from '../write-model.ts';
import { floatOf, inputOf, intOf, type Lowering, type LoweringRule } from './lowering.ts';
import { transposed } from './product-rules.ts';

/** Order of the inputs of `MultiHeadAttention`. */
const BIAS = 5;
const PAST_KEY = 6;
const PAST_VALUE = 7;
const END = Number.MAX_SAFE_INTEGER;

/** Multi-head attention as matrix products and a softmax. Outputs 1 and 2 are the present keys and values. */
export const multiHeadAttention: LoweringRule = (to, node) => {
  const heads = intOf(node, 'num_heads') ?? 1;
  const query = inputOf(node, 0);
  const hidden = fixedAxis(to.axesOf(query), -1, node.name);
  const scale = floatOf(node, 'scale') ?? (hidden / heads) ** -0.5;
  const present = (index: 1 | 2, past: string | undefined): string => {
    const rows = splitHeads(to, node, inputOf(node, index), heads);
    const output = node.output[index];
    if (past === undefined || past === '') return rows;
    return to.add(node, 'Concat', [past, rows], { axis: { int: 2 } }, output === '' ? undefined : output);
  };
  const keys = present(1, node.input[PAST_KEY]);
  const values = present(2, node.input[PAST_VALUE]);
  const scaled = to.add(node, 'Mul', [splitHeads(to, node, query, heads), to.constant('float32', [], [scale])]);
  const scores = to.add(node, 'MatMul', [scaled, transposed(to, node, keys, 4)]);
  const bias = node.input[BIAS];
  const masked = bias === undefined || bias === '' ? scores : to.add(node, 'Add', [scores, bias]);
  const weights = to.add(node, 'Softmax', [masked], { axis: { int: -1 } });
  const context = to.add(node, 'MatMul', [weights, values]);
  const rows = to.add(node, 'Transpose', [context], { perm: { ints: [0, 2, 1, 3] } });
  to.add(node, 'Reshape', [rows, to.constant('int64', [3], [0, 0, hidden])], {}, node.output[0]);
};

/** `[batch, positions, hidden]` → `[batch, heads, positions, headSize]`, if it is not split yet. */
function splitHeads(to: Lowering, node: GraphNode, x: string, heads: number): string {
  const axes = to.axesOf(x);
  if (axes.length === 4) return x;
  const shape = to.constant('int64', [4], [0, 0, heads, fixedAxis(axes, -1, node.name) / heads]);
  return to.add(node, 'Transpose', [to.add(node, 'Reshape', [x, shape])], { perm: { ints: [0, 2, 1, 3] } });
}

/**
 * Rotary positions: element `i` of each head is rotated together with element `i + pairs`; elements behind the rotated
 * ones are kept.
 */
export const rotaryEmbedding: LoweringRule = (to, node) => {
  const [x, rows, cos, sin] = [0, 1, 2, 3].map((index) => inputOf(node, index)) as [string, string, string, string];
  const pairs = fixedAxis(to.axesOf(cos), -1, node.name);
  const width = fixedAxis(to.axesOf(x), -1, node.name);
  const heads = intOf(node, 'num_heads') ?? 0;
  const headSize = heads === 0 ? 2 * pairs : width / heads;
  axisAt(to.axesOf(x), 2, node.name);
  const split = to.add(node, 'Reshape', [x, to.constant('int64', [4], [0, 0, width / headSize, headSize])]);
  // One rotation for all heads: [batch, sequence, 1, pairs].
  const table = (values: string): string =>
    to.add(node, 'Unsqueeze', [
      to.add(node, 'Gather', [values, rows], { axis: { int: 0 } }),
      to.constant('int64', [1], [2]),
    ]);
  const [c, s] = [table(cos), table(sin)];
  const part = (start: number, end: number): string =>
    to.add(node, 'Slice', [split, ...[start, end, 3].map((number) => to.constant('int64', [1], [number]))]);
  const [first, second] = [part(0, pairs), part(pairs, 2 * pairs)];
  const times = (a: string, b: string): string => to.add(node, 'Mul', [a, b]);
  const turned = [
    to.add(node, 'Sub', [times(first, c), times(second, s)]),
    to.add(node, 'Add', [times(second, c), times(first, s)]),
    ...(headSize > 2 * pairs ? [part(2 * pairs, END)] : []),
  ];
  const joined = to.add(node, 'Concat', turned, { axis: { int: 3 } });
  to.add(node, 'Reshape', [joined, to.constant('int64', [3], [0, 0, width])], {}, node.output[0]);
};
