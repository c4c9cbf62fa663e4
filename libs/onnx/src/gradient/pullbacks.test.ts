import type { Tensor } from '@blip2/interfaces';
import { describe, test } from 'vitest';

import { type F32, ids, random } from '../fixtures/run-graph.ts';
import type { Graph } from '../graph.ts';
import { activation } from '../nn/activation.ts';
import { attention } from '../nn/attention.ts';
import { crossEntropy } from '../nn/cross-entropy.ts';
import { embedding } from '../nn/embedding.ts';
import { layerNorm } from '../nn/layer-norm.ts';
import { linear } from '../nn/linear.ts';
import { rmsNorm } from '../nn/rms-norm.ts';
import { rotaryEmbedding } from '../nn/rotary-embedding.ts';
import { patchConv } from '../ops/conv.ts';
import { binary, maximum, mul, unary } from '../ops/elementwise.ts';
import { firstPosition, gather } from '../ops/gather.ts';
import { matMul } from '../ops/matmul.ts';
import { reduce } from '../ops/reduce.ts';
import { resizeBicubicLike } from '../ops/resize.ts';
import { concat, expandBatch, reshape, slice, splitLast, transpose } from '../ops/shape.ts';
import { softmax } from '../ops/softmax.ts';
import type { Value } from '../value.ts';
import { type DifferentiatedCase, expectGradients } from './fixtures/finite-differences.ts';

type Inputs = Readonly<Record<string, Value>>;
type Float = Tensor<'float32'>;
const of = (inputs: Inputs, name: string): F32 => inputs[name] as F32;
/** Elements between 1/2 and 3/2, at a distance from zero and from kinks. */
const positive = (...dims: number[]): Float => mapped(random(...dims), (value) => 1 + value / 2);
/** Elements of both signs at a distance of 1/4 from zero. */
const awayFromZero = (...dims: number[]): Float => mapped(random(...dims), (value) => value + (value < 0 ? -1 : 1) / 4);
const mapped = (tensor: Float, change: (value: number) => number): Float => ({
  ...tensor,
  data: tensor.data.map((value) => Math.round(change(value) * 64) / 64),
});

const check = (name: string, differentiated: DifferentiatedCase): void =>
  test(name, () => expectGradients(differentiated));

describe('element-wise', () => {
  for (const operator of ['Add', 'Sub', 'Mul', 'Div'] as const) {
    const body = (g: Graph, inputs: Inputs): F32 => binary(g, operator, of(inputs, 'a'), of(inputs, 'b'));
    check(operator, { inputs: { a: positive(2, 3), b: positive(2, 3) }, output: [2, 3], body });
    check(`${operator} of a vector`, { inputs: { a: positive(2, 2, 3), b: positive(3) }, output: [2, 2, 3], body });
    check(`${operator} to a vector`, { inputs: { a: positive(3), b: positive(2, 2, 3) }, output: [2, 2, 3], body });
    check(`${operator} of columns and rows`, {
      inputs: { a: positive(2, 1, 3), b: positive(1, 4, 1) },
      output: [2, 4, 3],
      body,
    });
  }
  check('the maximum of two values', {
    inputs: { a: awayFromZero(2, 3), b: mapped(awayFromZero(3), (value) => value / 8) },
    output: [2, 3],
    body: (g, inputs) => maximum(g, of(inputs, 'a'), of(inputs, 'b')),
  });
  check('a value that two operators take', {
    inputs: { x: random(2, 3) },
    output: [2, 3],
    body: (g, inputs) => mul(g, of(inputs, 'x'), binary(g, 'Add', of(inputs, 'x'), of(inputs, 'x'))),
  });
  for (const operator of ['Exp', 'Neg', 'Erf', 'Tanh'] as const) {
    check(operator, {
      inputs: { x: random(3, 4) },
      output: [3, 4],
      body: (g, inputs) => unary(g, operator, of(inputs, 'x')),
    });
  }
});

describe('activations', () => {
  // Kinks of clipped activations lie at 0 and at 6, 3 and −3 or beyond 10.
  const inputs = { x: mapped(awayFromZero(4, 6), (value) => 2 * value) };
  const names = ['gelu', 'gelu_new', 'gelu_10', 'quick_gelu', 'relu', 'relu2', 'leaky_relu', 'selu', 'silu', 'sigmoid'];
  for (const name of [...names, 'tanh', 'mish', 'laplace', 'sqrtsoftplus', 'hardswish', 'relu6'])
    check(name, { inputs, output: [4, 6], body: (g, given) => activation(g, of(given, 'x'), name) });
  for (const name of ['hardswish', 'relu6'])
    check(`${name} where it is constant or linear`, {
      inputs: { x: { type: 'float32', dims: [4], data: Float32Array.of(-7, 7, 4, 1) } },
      output: [4],
      body: (g, given) => activation(g, of(given, 'x'), name),
    });
});

describe('products', () => {
  const shapes: readonly (readonly [a: number[], b: number[], transposeB: boolean, output: number[]])[] = [
    [[2, 3], [3, 4], false, [2, 4]],
    [[2, 3], [4, 3], true, [2, 4]],
    [[2, 2, 3], [4, 3], true, [2, 2, 4]],
    [[2, 2, 2, 3], [3, 4], false, [2, 2, 2, 4]],
    [[2, 1, 2, 3], [2, 3, 2], false, [2, 2, 2, 2]],
    [[2, 3], [2, 4, 3], true, [2, 2, 4]],
  ];
  for (const [a, b, transposeB, output] of shapes)
    check(`matMul of [${a}] and [${b}]${transposeB ? ', transposed' : ''}`, {
      inputs: { a: random(...a), b: random(...b) },
      output,
      body: (g, inputs) => matMul(g, of(inputs, 'a'), of(inputs, 'b'), { transposeB, alpha: 0.75 }),
    });
  for (const transposed of [false, true])
    check(`linear${transposed ? ', transposed' : ''}`, {
      inputs: { x: random(2, 3, 4) },
      weights: { 'fc.weight': transposed ? random(4, 5) : random(5, 4), 'fc.bias': random(5) },
      output: [2, 3, 5],
      body: (g, inputs, root) =>
        linear(g, of(inputs, 'x'), root.at('fc'), { inFeatures: 4, outFeatures: 5, bias: true, transposed }),
    });
});

describe('shapes', () => {
  const x = random(2, 3, 4);
  const moves: readonly (readonly [name: string, output: number[], move: (g: Graph, x: F32) => F32])[] = [
    ['reshape', [2, 12], (g, v) => reshape(g, v, [0, -1])],
    ['transpose', [3, 4, 2], (g, v) => transpose(g, v, [1, 2, 0])],
    ['slice', [2, 2, 4], (g, v) => slice(g, v, 1, 1, 3)],
    ['slice to the end', [2, 3, 1], (g, v) => slice(g, v, -1, 3, Infinity)],
    ['concat', [2, 7, 4], (g, v) => concat(g, [v, slice(g, v, 1, 2, 3), v], 1)],
    ['a part of a split', [2, 3, 2], (g, v) => splitLast(g, v, 2)[1] ?? v],
    [
      'both parts of a split',
      [2, 3, 2],
      (g, v) => {
        const [a, b = a] = splitLast(g, v, 2);
        return mul(g, a, b);
      },
    ],
    ['expandBatch', [2, 3, 4], (g, v) => expandBatch(g, slice(g, v, 0, 1, 2), v)],
    ['firstPosition', [2, 4], firstPositionOf],
    ['gather of equal entries', [2, 4, 4], (g, v) => gather(g, v, g.constant('int64', [4], [2, 0, 2, 2]), 1)],
    [
      'gather of a matrix of entries',
      [2, 2, 3, 4],
      (g, v) => gather(g, v, g.constant('int64', [2, 3], [1, 0, 1, 2, 1, 1]), 1),
    ],
    ['gather along the last axis', [2, 3, 2], (g, v) => gather(g, v, g.constant('int64', [2], [3, 3]), -1)],
    ['gather of a single entry', [3, 4], (g, v) => gather(g, v, g.constant('int64', [], [1]), 0)],
  ];
  for (const [name, output, move] of moves)
    check(name, { inputs: { x }, output, body: (g, inputs) => move(g, of(inputs, 'x')) });

  function firstPositionOf(g: Graph, v: F32): F32 {
    return reshape(g, firstPosition(g, v), [0, 4]);
  }
});

describe('reductions', () => {
  for (const operator of ['ReduceSum', 'ReduceMean', 'ReduceL2'] as const)
    for (const [axes, keep, output] of [
      [[-1], true, [2, 3, 1]],
      [[1], false, [2, 4]],
      [[0, 2], false, [3]],
    ] as const)
      check(`${operator} of [${axes}]${keep ? ', kept' : ''}`, {
        inputs: { x: awayFromZero(2, 3, 4) },
        output,
        body: (g, inputs) => reduce(g, operator, of(inputs, 'x'), axes, { keep }),
      });
  check('softmax', { inputs: { x: random(3, 5) }, output: [3, 5], body: (g, inputs) => softmax(g, of(inputs, 'x')) });
  check('crossEntropy, which ignores negative labels', {
    inputs: { x: random(2, 3, 5), labels: ids([2, 3], [0, 4, -100, 2, 2, -1]) },
    output: [],
    body: (g, inputs) => crossEntropy(g, of(inputs, 'x'), inputs['labels'] as Value<'int64'>),
  });
});

describe('images', () => {
  for (const [height, width] of [
    [4, 6],
    [5, 7],
  ] as const)
    check(`patchConv of ${height} × ${width}`, {
      inputs: { x: random(2, 3, height, width) },
      weights: { weight: random(4, 3, 2, 2), bias: random(4) },
      output: [2, 4, 2, 3],
      body: (g, inputs, root) =>
        patchConv(g, of(inputs, 'x'), { weight: root.get('weight', [4, 3, 2, 2]), bias: root.get('bias', [4]) }),
    });
  for (const [rows, columns] of [
    [5, 2],
    [3, 3],
  ] as const)
    for (const antialias of [false, true])
      check(`resizeBicubicLike to ${rows} × ${columns}${antialias ? ', antialiased' : ''}`, {
        inputs: {
          x: random(1, 2, 3, 4),
          like: ids([2, 1, rows, columns], new Array<number>(2 * rows * columns).fill(0)),
        },
        output: [1, 2, rows, columns],
        body: (g, inputs) => resizeBicubicLike(g, of(inputs, 'x'), inputs['like'] as Value, { antialias }),
      });
});

describe('layers', () => {
  check('layerNorm', {
    inputs: { x: random(2, 3, 4) },
    weights: { 'norm.weight': positive(4), 'norm.bias': random(4) },
    output: [2, 3, 4],
    body: (g, inputs, root) => layerNorm(g, of(inputs, 'x'), root.at('norm'), { epsilon: 1e-3 }),
  });
  check('layerNorm without weights', {
    inputs: { x: random(2, 4) },
    output: [2, 4],
    body: (g, inputs, root) => layerNorm(g, of(inputs, 'x'), root.at('norm'), { epsilon: 1e-3, affine: false }),
  });
  for (const offset of [0, 1])
    check(`rmsNorm with an offset of ${offset}`, {
      inputs: { x: random(2, 3, 4) },
      weights: { 'norm.weight': positive(4) },
      output: [2, 3, 4],
      body: (g, inputs, root) => rmsNorm(g, of(inputs, 'x'), root.at('norm'), { epsilon: 1e-3, offset }),
    });
  check('embedding of equal ids', {
    inputs: { ids: ids([2, 3], [4, 1, 4, 4, 0, 1]) },
    weights: { 'words.weight': random(5, 2) },
    output: [2, 3, 2],
    body: (g, inputs, root) =>
      embedding(g, inputs['ids'] as Value<'int64'>, root.at('words'), { numEmbeddings: 5, embeddingSize: 2 }),
  });
  for (const headSize of [4, 6])
    check(`rotaryEmbedding of 4 elements of ${headSize}`, {
      inputs: { x: random(2, 3, 2 * headSize) },
      output: [2, 3, 2 * headSize],
      body: (g, inputs) => {
        const angles = Array.from({ length: 6 }, (_, index) => index + 0.5);
        const rows = g.constant('int64', [2, 3], [0, 1, 2, 2, 1, 0]);
        const table = (turn: (angle: number) => number): F32 => g.constant('float32', [3, 2], angles.map(turn));
        const rotations = { rows, cos: table(Math.cos), sin: table(Math.sin) };
        return rotaryEmbedding(g, of(inputs, 'x'), rotations, { numHeads: 2, headSize });
      },
    });
});

describe('attention', () => {
  const [batch, queries, keys, hidden, numHeads] = [2, 3, 5, 4, 2];
  const tensors = {
    query: random(batch, queries, hidden),
    key: random(batch, keys, hidden),
    value: random(batch, keys, hidden),
  };
  const run =
    (probabilities: boolean, scale?: number) =>
    (g: Graph, inputs: Inputs): F32 => {
      const names = Object.keys(inputs);
      const given = Object.fromEntries(names.map((name) => [name, of(inputs, name)]));
      return attention(g, given as never, { numHeads, probabilities, ...(scale !== undefined && { scale }) }).context;
    };
  const output = [batch, queries, hidden];
  for (const probabilities of [false, true]) {
    const how = probabilities ? 'of plain operators' : 'fused';
    check(`${how}, without a bias`, { inputs: tensors, output, body: run(probabilities) });
    for (const [rows, heads] of [
      [batch, numHeads],
      [1, numHeads],
      [batch, 1],
    ] as const)
      check(`${how}, with a bias of [${rows}, ${heads}]`, {
        inputs: { ...tensors, bias: random(rows, heads, queries, keys) },
        output,
        body: run(probabilities, 0.9),
      });
    check(`${how}, with keys of another graph`, {
      inputs: {
        query: tensors.query,
        key: random(batch, numHeads, keys, hidden / numHeads),
        value: random(batch, numHeads, keys, hidden / numHeads),
      },
      output,
      body: run(probabilities),
    });
  }
  check('with a factor per head', {
    inputs: { ...tensors, headMask: positive(numHeads, 1, 1) },
    output,
    body: run(false),
  });
});
