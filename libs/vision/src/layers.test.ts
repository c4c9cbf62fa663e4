/** Operators and layers of @blip2/onnx, run by the real runtime, against the formula written out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { convertedSource, type FloatStoredType, openCheckpoint, saveCheckpoint, tensorSource } from '@blip2/checkpoint';
import { type Axis, f32, i64, type Tensor, type TensorSpec } from '@blip2/interfaces';
import {
  attention,
  buildGraph,
  cast,
  concat,
  embedding,
  expandBatch,
  gather,
  type Graph,
  layerNorm,
  linear,
  matMul,
  patchConv,
  reshape,
  resizeBicubicLike,
  scale,
  slice,
  softmax,
  splitLast,
  transpose,
  type Value,
  type Weights,
} from '@blip2/onnx';
import { createSession } from '@blip2/runtime';
import { pseudoRandom } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

type F32 = Value<'float32'>;
type Data = Float32Array;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-layers-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

let draws = 0;
/** Multiples of 1/64 between −1 and 1: exact in every float type but bfloat16, where 8 bits do. */
function random(...dims: number[]): Tensor<'float32'> {
  const size = dims.reduce((a, b) => a * b, 1);
  return {
    type: 'float32',
    dims,
    data: Float32Array.from({ length: size }, () => Math.round(pseudoRandom(draws++) * 64) / 64),
  };
}
function ids(dims: readonly number[], numbers: readonly number[]): Tensor<'int64'> {
  return { type: 'int64', dims, data: BigInt64Array.from(numbers, BigInt) };
}

interface Plan {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly weights?: Readonly<Record<string, Tensor<'float32'>>>;
  readonly dtype?: FloatStoredType;
  readonly output: readonly Axis[];
  readonly body: (g: Graph, inputs: Readonly<Record<string, Value>>, weights: Weights) => F32;
}

let graphs = 0;
/** Writes a graph over weights in a file, runs it and returns the numbers of its one output. */
async function run({ inputs, weights = {}, dtype = 'F32', output, body }: Plan): Promise<Data> {
  const own = join(folder, String(graphs++));
  await saveCheckpoint(
    own,
    Object.entries(weights).map(([name, tensor]) => convertedSource(tensorSource(name, tensor), dtype)),
  );
  const specs = Object.fromEntries(
    Object.entries(inputs).map(([name, { type, dims }]): [string, TensorSpec] => [name, { type, axes: dims }]),
  );
  const signature = { inputs: specs, outputs: { y: f32(...output) } };
  await using session = await createSession(
    buildGraph({ name: 'test', signature, weights: await openCheckpoint(own) }, (g, values, root) => ({
      y: body(g, values, root),
    })),
  );
  return (await session.run(inputs as never)).y.data;
}

function expectClose(got: Data, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(got.length).toBe(expected.length);
  const largest = got.reduce(
    (worst, value, index) => Math.max(worst, Math.abs(value - (expected[index] ?? Number.NaN))),
    0,
  );
  expect(largest).toBeLessThan(tolerance);
}

/** `[rows, inner] · [inner, columns]`, both row-major. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, rows: number, inner: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += (a[row * inner + k] ?? 0) * (b[k * columns + column] ?? 0);
    return sum;
  });
}
function transposed(a: ArrayLike<number>, rows: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, at) => a[(at % rows) * columns + Math.floor(at / rows)] ?? 0);
}
function probabilities(scores: readonly number[]): number[] {
  const exponentials = scores.map((score) => Math.exp(score - Math.max(...scores)));
  return exponentials.map((value) => value / exponentials.reduce((a, b) => a + b, 0));
}

describe('linear', () => {
  const x = random(2, 3, 5);
  const weights = { 'fc.weight': random(4, 5), 'fc.bias': random(4) };
  const plain = (bias: boolean): number[] =>
    product(x.data, transposed(weights['fc.weight'].data, 4, 5), 6, 5, 4).map(
      (value, at) => value + (bias ? (weights['fc.bias'].data[at % 4] ?? 0) : 0),
    );

  test.each(['F32', 'F16', 'BF16', 'F64'] as const)('is x · Wᵀ + b over weights stored as %s', async (dtype) => {
    const y = await run({
      inputs: { x },
      weights,
      dtype,
      output: [2, 3, 4],
      body: (g, inputs, root) =>
        linear(g, inputs['x'] as F32, root.at('fc'), { inFeatures: 5, outFeatures: 4, bias: true }),
    });
    expectClose(y, plain(true));
  });

  test('does without a bias', async () => {
    const y = await run({
      inputs: { x },
      weights,
      output: [2, 3, 4],
      body: (g, inputs, root) =>
        linear(g, inputs['x'] as F32, root.at('fc'), { inFeatures: 5, outFeatures: 4, bias: false }),
    });
    expectClose(y, plain(false));
  });
});

describe('layerNorm', () => {
  const x = random(2, 3, 6);
  const weights = { 'norm.weight': random(6), 'norm.bias': random(6) };
  // Large enough to see where it stands in the formula.
  const epsilon = 0.25;
  const plain = (affine: boolean): number[] =>
    Array.from({ length: 6 }, (_, row) => x.data.subarray(row * 6, row * 6 + 6)).flatMap((values) => {
      const mean = values.reduce((a, b) => a + b) / 6;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 6;
      const normed = Array.from(values, (value) => (value - mean) / Math.sqrt(variance + epsilon));
      return affine
        ? normed.map(
            (value, at) => value * (weights['norm.weight'].data[at] ?? 0) + (weights['norm.bias'].data[at] ?? 0),
          )
        : normed;
    });

  test.each([true, false])('is (x − mean) / √(variance + ε), affine: %s', async (affine) => {
    const y = await run({
      inputs: { x },
      weights,
      output: [2, 3, 6],
      body: (g, inputs, root) => layerNorm(g, inputs['x'] as F32, root.at('norm'), { epsilon, affine }),
    });
    expectClose(y, plain(affine));
  });
});

describe('embedding', () => {
  const table = random(5, 3);
  test.each(['F32', 'F16'] as const)('picks rows of a table stored as %s', async (dtype) => {
    const y = await run({
      inputs: { ids: ids([2, 2], [4, 0, 0, 2]) },
      weights: { 't.weight': table },
      dtype,
      output: [2, 2, 3],
      body: (g, inputs, root) =>
        embedding(g, inputs['ids'] as Value<'int64'>, root.at('t'), { numEmbeddings: 5, embeddingSize: 3 }),
    });
    expectClose(
      y,
      [4, 0, 0, 2].flatMap((row) => [...table.data.subarray(row * 3, row * 3 + 3)]),
    );
  });
});

describe('attention', () => {
  const [batch, queries, keys, past, heads, size] = [2, 3, 4, 2, 2, 3];
  const hidden = heads * size;
  const inputs = {
    query: random(batch, queries, hidden),
    key: random(batch, keys, hidden),
    value: random(batch, keys, hidden),
    pastKey: random(batch, heads, past, size),
    pastValue: random(batch, heads, past, size),
    headMask: random(heads, 1, 1),
    bias: random(batch, 1, queries, past + keys),
    shortBias: random(batch, 1, queries, keys),
  };
  interface Variant {
    readonly past: boolean;
    readonly bias: boolean;
    readonly headMask: boolean;
    readonly scale?: number;
  }

  function plain(variant: Variant): { context: number[]; maps: number[] } {
    const offset = variant.past ? past : 0;
    const total = offset + keys;
    const bias = variant.past ? inputs.bias : inputs.shortBias;
    const entry = (pastRows: Data, rows: Data, b: number, h: number, k: number, i: number): number =>
      (k < offset
        ? pastRows[((b * heads + h) * past + k) * size + i]
        : rows[(b * keys + k - offset) * hidden + h * size + i]) ?? Number.NaN;
    const context = new Array<number>(batch * queries * hidden).fill(0);
    const maps: number[] = [];
    for (let b = 0; b < batch; b++)
      for (let h = 0; h < heads; h++)
        for (let q = 0; q < queries; q++) {
          const scores = Array.from({ length: total }, (_, k) => {
            let score = 0;
            for (let i = 0; i < size; i++)
              score +=
                (inputs.query.data[(b * queries + q) * hidden + h * size + i] ?? 0) *
                entry(inputs.pastKey.data, inputs.key.data, b, h, k, i);
            return (
              score * (variant.scale ?? 1 / Math.sqrt(size)) +
              (variant.bias ? (bias.data[(b * queries + q) * total + k] ?? 0) : 0)
            );
          });
          const weights = probabilities(scores);
          maps.push(...weights);
          const factor = variant.headMask ? (inputs.headMask.data[h] ?? 0) : 1;
          for (let i = 0; i < size; i++) {
            context[(b * queries + q) * hidden + h * size + i] =
              factor *
              weights.reduce(
                (sum, weight, k) => sum + weight * entry(inputs.pastValue.data, inputs.value.data, b, h, k, i),
                0,
              );
          }
        }
    return { context, maps };
  }

  const body =
    (variant: Variant, result: 'context' | 'probabilities', maps: boolean): Plan['body'] =>
    (g, values) => {
      const bias = values[variant.past ? 'bias' : 'shortBias'] as F32;
      const outputs = attention(
        g,
        {
          query: values['query'] as F32,
          key: values['key'] as F32,
          value: values['value'] as F32,
          ...(variant.past && { past: { key: values['pastKey'] as F32, value: values['pastValue'] as F32 } }),
          ...(variant.bias && { bias }),
          ...(variant.headMask && { headMask: values['headMask'] as F32 }),
        },
        { numHeads: heads, probabilities: maps, ...(variant.scale !== undefined && { scale: variant.scale }) },
      );
      return outputs[result] ?? outputs.context;
    };

  const variants: readonly (readonly [string, Variant])[] = [
    ['alone', { past: false, bias: false, headMask: false }],
    ['with a bias', { past: false, bias: true, headMask: false }],
    ['with a past and a bias', { past: true, bias: true, headMask: false }],
    ['with a past', { past: true, bias: false, headMask: false }],
    ['with a factor per head', { past: false, bias: true, headMask: true }],
    ['with another scale (T5)', { past: true, bias: true, headMask: false, scale: 1 }],
  ];
  describe.each(variants)('%s', (_, variant) => {
    test.each([
      ['fused', false],
      ['plain', true],
    ])('%s', async (__, maps) => {
      expectClose(
        await run({ inputs, output: [batch, queries, hidden], body: body(variant, 'context', maps) }),
        plain(variant).context,
      );
    });
    test('gives the maps', async () => {
      const total = keys + (variant.past ? past : 0);
      expectClose(
        await run({ inputs, output: [batch, heads, queries, total], body: body(variant, 'probabilities', true) }),
        plain(variant).maps,
      );
    });
  });

  test('does not give maps that were not asked for', () => {
    expect(() =>
      buildGraph(
        {
          name: 'test',
          signature: { inputs: { x: f32(1, 2, 4) }, outputs: {} },
          weights: { has: () => false, find: () => undefined },
        },
        (g, { x }) => {
          expect(
            attention(g, { query: x, key: x, value: x }, { numHeads: 2, probabilities: false }),
          ).not.toHaveProperty('probabilities');
          return {};
        },
      ),
    ).not.toThrow();
  });

  test('rejects a width that the heads do not share', () => {
    const write = (numHeads: number, width: number) => (): unknown =>
      buildGraph(
        {
          name: 'test',
          signature: { inputs: { x: f32(1, 2, 4), k: f32(1, 2, width) }, outputs: {} },
          weights: { has: () => false, find: () => undefined },
        },
        (g, { x, k }) => {
          attention(g, { query: x, key: k, value: k }, { numHeads, probabilities: false });
          return {};
        },
      );
    expect(write(3, 4)).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(write(2, 6)).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(write(2, 4)).not.toThrow();
  });
});

describe('patchConv', () => {
  test('makes one vector per whole patch', async () => {
    const [size, channels, out] = [2, 3, 4];
    const x = random(2, channels, 5, 4);
    const weights = { weight: random(out, channels, size, size), bias: random(out) };
    const y = await run({
      inputs: { x },
      weights,
      output: [2, out, 2, 2],
      body: (g, inputs, root) =>
        patchConv(g, inputs['x'] as F32, {
          weight: root.get('weight', [out, channels, size, size]),
          bias: root.get('bias', [out]),
        }),
    });
    const expected: number[] = [];
    for (let b = 0; b < 2; b++)
      for (let o = 0; o < out; o++)
        for (let row = 0; row < 2; row++)
          for (let column = 0; column < 2; column++) {
            let sum = weights.bias.data[o] ?? 0;
            for (let c = 0; c < channels; c++)
              for (let i = 0; i < size; i++)
                for (let j = 0; j < size; j++) {
                  sum +=
                    (x.data[((b * channels + c) * 5 + row * size + i) * 4 + column * size + j] ?? 0) *
                    (weights.weight.data[((o * channels + c) * size + i) * size + j] ?? 0);
                }
            expected.push(sum);
          }
    expectClose(y, expected);
  });
});

describe('resizeBicubicLike', () => {
  /** Cubic convolution with a = −0.75, edges repeated, as torch's `interpolate`. */
  function resizedRow(row: readonly number[], length: number): number[] {
    const a = -0.75;
    const kernel = (t: number): number =>
      t <= 1 ? (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1 : a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a;
    return Array.from({ length }, (_, at) => {
      const centre = (at + 0.5) * (row.length / length) - 0.5;
      const from = Math.floor(centre);
      return [-1, 0, 1, 2].reduce(
        (sum, tap) =>
          sum + (row[Math.min(Math.max(from + tap, 0), row.length - 1)] ?? 0) * kernel(Math.abs(centre - from - tap)),
        0,
      );
    });
  }

  test.each([
    [6, 5],
    [3, 2],
    [4, 4],
  ])('resizes 4 × 4 to %i × %i', async (rows, columns) => {
    const x = random(1, 2, 4, 4);
    const y = await run({
      inputs: { x, like: random(1, 1, rows, columns) },
      output: [1, 2, rows, columns],
      body: (g, inputs) => resizeBicubicLike(g, inputs['x'] as F32, inputs['like'] as F32),
    });
    const expected = [0, 1].flatMap((channel) => {
      const lines = [0, 1, 2, 3].map((row) =>
        resizedRow([...x.data.subarray(channel * 16 + row * 4, channel * 16 + row * 4 + 4)], columns),
      );
      const tall = Array.from({ length: columns }, (_, column) =>
        resizedRow(
          lines.map((line) => line[column] ?? 0),
          rows,
        ),
      );
      return Array.from({ length: rows * columns }, (_, at) => tall[at % columns]?.[Math.floor(at / columns)] ?? 0);
    });
    expectClose(y, expected);
  });
});

describe('operators', () => {
  test('matMul with a factor', async () => {
    const [a, b] = [random(2, 3), random(3, 4)];
    const y = await run({
      inputs: { a, b },
      output: [2, 4],
      body: (g, inputs) => matMul(g, inputs['a'] as F32, inputs['b'] as F32, { alpha: 0.5 }),
    });
    expectClose(
      y,
      product(a.data, b.data, 2, 3, 4).map((value) => value / 2),
    );
  });

  test('softmax over the last axis', async () => {
    const x = random(2, 3);
    const y = await run({ inputs: { x }, output: [2, 3], body: (g, inputs) => softmax(g, inputs['x'] as F32) });
    expectClose(
      y,
      [0, 1].flatMap((row) => probabilities([...x.data.subarray(row * 3, row * 3 + 3)])),
    );
  });

  const x = random(2, 3, 4);
  const at = (b: number, n: number, d: number): number => x.data[(b * 3 + n) * 4 + d] ?? Number.NaN;
  const all = (shape: readonly [number, number, number], pick: (i: number, j: number, k: number) => number): number[] =>
    Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, index) =>
      pick(Math.floor(index / (shape[1] * shape[2])), Math.floor(index / shape[2]) % shape[1], index % shape[2]),
    );

  const moves: readonly (readonly [
    name: string,
    shape: readonly [number, number, number],
    body: (g: Graph, x: F32) => F32,
    pick: (i: number, j: number, k: number) => number,
  ])[] = [
    ['transpose', [3, 4, 2], (g, v) => transpose(g, v, [1, 2, 0]), (i, j, k) => at(k, i, j)],
    ['reshape', [2, 6, 2], (g, v) => reshape(g, v, [0, -1, 2]), (i, j, k) => x.data[(i * 6 + j) * 2 + k] ?? 0],
    ['slice to the end', [2, 2, 4], (g, v) => slice(g, v, 1, 1, Infinity), (i, j, k) => at(i, j + 1, k)],
    ['slice of a range, axis from the end', [2, 3, 2], (g, v) => slice(g, v, -1, 1, 3), (i, j, k) => at(i, j, k + 1)],
    [
      'concat from the end',
      [2, 3, 8],
      (g, v) => concat(g, [v, scale(g, v, 2)], -1),
      (i, j, k) => (k < 4 ? at(i, j, k) : 2 * at(i, j, k - 4)),
    ],
    ['splitLast', [2, 3, 2], (g, v) => splitLast(g, v, 2)[1] ?? v, (i, j, k) => at(i, j, k + 2)],
    [
      'gather from the end',
      [2, 3, 2],
      (g, v) => gather(g, v, g.constant('int64', [2], [3, 0]), -1),
      (i, j, k) => at(i, j, k === 0 ? 3 : 0),
    ],
    ['expandBatch', [2, 3, 4], (g, v) => expandBatch(g, slice(g, v, 0, 1, 2), v), (_, j, k) => at(1, j, k)],
  ];
  test.each(moves)('%s moves elements', async (_, shape, body, pick) => {
    expectClose(
      await run({ inputs: { x }, output: shape, body: (g, inputs) => body(g, inputs['x'] as F32) }),
      all(shape, pick),
      1e-7,
    );
  });

  test('cast', async () => {
    const y = await run({
      inputs: { n: ids([3], [-2, 0, 7]) },
      output: [3],
      body: (g, inputs) => cast(g, inputs['n'] ?? g.input('n', 'int64', i64(3).axes), 'float32'),
    });
    expect([...y]).toEqual([-2, 0, 7]);
  });
});
