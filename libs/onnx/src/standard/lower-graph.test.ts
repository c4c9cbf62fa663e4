import { f32, i64, type Signature, type Tensor, type TensorSpec } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { describe, expect, test } from 'vitest';

import { buildGraph } from '../build-graph.ts';
import { expectClose, type F32, ids, random } from '../fixtures/run-graph.ts';
import type { Graph } from '../graph.ts';
import type { WrittenModel } from '../graph-types.ts';
import { decodeModel } from '../model-proto.ts';
import { activation } from '../nn/activation.ts';
import { attention } from '../nn/attention.ts';
import { rmsNorm } from '../nn/rms-norm.ts';
import { rotaryEmbedding } from '../nn/rotary-embedding.ts';
import { add } from '../ops/elementwise.ts';
import { matMul } from '../ops/matmul.ts';
import { writeSection } from '../section.ts';
import type { Value } from '../value.ts';
import type { WeightSource } from '../weights.ts';
import { MAX_OPSET, MIN_OPSET } from './opsets.ts';

type Inputs = Readonly<Record<string, Tensor>>;
type Body = (g: Graph, inputs: Readonly<Record<string, Value>>) => F32;
const unweighted = { has: () => false, find: () => undefined };

function written(inputs: Inputs, body: Body): WrittenModel {
  const specs = Object.fromEntries(
    Object.entries(inputs).map(([name, { type, dims }]): [string, TensorSpec] => [
      name,
      // The first axis has no fixed length, as in real graphs.
      { type, axes: dims.map((length, axis) => (axis === 0 && name !== 'table' ? `${name}.0` : length)) },
    ]),
  );
  const probe = buildGraph(
    { name: 'probe', signature: { inputs: specs, outputs: {} }, weights: unweighted },
    (g, values) => {
      outputAxes = body(g, values).axes;
      return {};
    },
  );
  expect(probe.name).toBe('probe');
  const signature: Signature = { inputs: specs, outputs: { y: { type: 'float32', axes: outputAxes } } };
  return buildGraph({ name: 'test', signature, weights: unweighted }, (g, values) => ({ y: body(g, values) }) as never);
}
let outputAxes: readonly (number | string)[] = [];

async function run(model: WrittenModel, inputs: Inputs, opset?: number): Promise<Float32Array> {
  const bytes = model.serialize(opset === undefined ? {} : { opset, operators: 'standard' });
  await using session = await createSession({ ...model, serialize: () => bytes });
  return (await session.run(inputs as never))['y']?.data as Float32Array;
}

const [batch, queries, keys, past, heads, size] = [2, 3, 4, 2, 2, 6];
const attended: Inputs = {
  query: random(batch, queries, heads * size),
  key: random(batch, keys, heads * size),
  value: random(batch, keys, heads * size),
  pastKey: random(batch, heads, past, size),
  pastValue: random(batch, heads, past, size),
  bias: random(batch, 1, queries, past + keys),
};
const rotated: Inputs = {
  x: random(batch, queries, heads * size),
  rows: ids([batch, queries], [0, 1, 2, 4, 3, 1]),
  table: random(5, size / 2),
};

function rotate(g: Graph, inputs: Readonly<Record<string, Value>>, pairs: number): F32 {
  const whole = inputs['table'] as F32;
  const table =
    pairs === size / 2
      ? whole
      : (g.node('Slice', [whole, ...[0, pairs, 1].map((n) => g.constant('int64', [1], [n]))], {
          type: 'float32',
          axes: [5, pairs],
        }) as F32);
  const rotations = { rows: inputs['rows'] as Value<'int64'>, cos: table, sin: table };
  return rotaryEmbedding(g, inputs['x'] as F32, rotations, { numHeads: heads, headSize: size });
}

const CASES: Readonly<Record<string, readonly [inputs: Inputs, body: Body]>> = {
  'a product with a transposed matrix and a factor': [
    { a: random(2, 3, 4), table: random(5, 4) },
    (g, { a, table }) => matMul(g, a as F32, table as F32, { transposeB: true, alpha: 0.25 }),
  ],
  'a product': [{ a: random(2, 3, 4), table: random(4, 5) }, (g, { a, table }) => matMul(g, a as F32, table as F32)],
  GELU: [{ x: random(3, 5) }, (g, { x }) => activation(g, x as F32, 'gelu')],
  'the tanh approximation of GELU': [{ x: random(3, 5) }, (g, { x }) => activation(g, x as F32, 'gelu_new')],
  'attention with a past and a bias': [
    attended,
    (g, { query, key, value, pastKey, pastValue, bias }) =>
      attention(
        g,
        {
          query: query as F32,
          key: key as F32,
          value: value as F32,
          past: { key: pastKey as F32, value: pastValue as F32 },
          bias: bias as F32,
        },
        { numHeads: heads, probabilities: false, scale: 0.75 },
      ).context,
  ],
  'attention to heads of another graph': [
    attended,
    (g, { query, pastKey, pastValue }) =>
      attention(
        g,
        { query: query as F32, key: pastKey as F32, value: pastValue as F32 },
        { numHeads: heads, probabilities: false },
      ).context,
  ],
  'rotary positions of whole heads': [rotated, (g, inputs) => rotate(g, inputs, size / 2)],
  'rotary positions of a part of each head': [rotated, (g, inputs) => rotate(g, inputs, size / 2 - 1)],
};
const OPSETS = Array.from({ length: MAX_OPSET - MIN_OPSET + 1 }, (_, index) => MIN_OPSET + index);

describe('standard operators', () => {
  test.each(Object.entries(CASES))('compute the same as those of the runtime: %s', async (_, [inputs, body]) => {
    const all = written(inputs, body);
    const expected = await run(all, inputs);
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.1);
    for (const opset of OPSETS) {
      const model = await decodeModel(all.serialize({ opset, operators: 'standard' }));
      expect(new Set(model.graph?.node.map(({ domain }) => domain))).toEqual(new Set(['']));
      expect(model.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([['', opset]]);
      expectClose(await run(all, inputs, opset), [...expected], 2e-6);
    }
  });

  test('include none that the standard does not define, with the operators of the runtime too', async () => {
    const norm = { has: () => true, find: () => undefined };
    const build = (): WrittenModel =>
      buildGraph(
        { name: 'norm', signature: { inputs: { x: f32('n', 4) }, outputs: { y: f32('n', 4) } }, weights: norm },
        (g, { x }) => {
          const weight = g.constant('float32', [4], [1, 2, 3, 4]);
          const fake = { path: 'norm', get: () => weight } as never;
          return { y: rmsNorm(g, x, fake, { epsilon: 0.25 }) };
        },
      );
    const x = random(3, 4);
    const expected = await run(build(), { x });
    const { graph } = await decodeModel(build().serialize({ opset: 21 }));
    expect(graph?.node.map(({ opType }) => opType)).not.toContain('SimplifiedLayerNormalization');
    expectClose(await run(build(), { x }, 18), [...expected]);
  });

  test('refuses opsets and operators that it cannot write', () => {
    const model = written({ x: random(1, 2) }, (g, { x }) => activation(g, x as F32, 'gelu'));
    for (const opset of [17, 24, 18.5, Number.NaN])
      expect(() => model.serialize({ opset })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    const other = written({ x: random(1, 2) }, (g, { x }) =>
      g.node('QuickGelu', [x], { type: 'float32', axes: x?.axes ?? [] }, { domain: 'com.microsoft' }),
    );
    expect(() => other.serialize({ opset: 21, operators: 'standard' })).toThrow(/com\.microsoft\.QuickGelu/);
    expect(() => other.serialize({ opset: 21 })).not.toThrow();
  });
});

describe('writeSection', () => {
  type Doubled = WrittenModel<{ inputs: { x: TensorSpec<'float32'> }; outputs: { y: TensorSpec<'float32'> } }>;
  const doubled =
    (name: string) =>
    (weights: WeightSource): Doubled =>
      buildGraph(
        { name, signature: { inputs: { x: f32('n', 2) }, outputs: { y: f32('n', 2) } }, weights },
        (g, { x }) => ({
          y: add(g, add(g, x, g.constant('float32', [], [1])), x),
        }),
      ) as never;

  test('adds the nodes of a graph as often as it is written, under its name', async () => {
    const x = random(3, 2);
    const outer = buildGraph(
      { name: 'outer', signature: { inputs: { x: f32('n', 2) }, outputs: { y: f32('n', 2) } }, weights: unweighted },
      (_, { x: input }, weights) => {
        const one = writeSection(weights, doubled('first'), { x: input });
        return { y: writeSection(weights, doubled('second'), { x: one.y as F32 }).y as F32 };
      },
    );
    const names = outer.graph.nodes.flatMap(({ output }) => output);
    expect(new Set(names).size).toBe(names.length);
    expectClose(
      await run(outer as never, { x }),
      [...x.data].map((value) => 2 * (2 * value + 1) + 1),
    );
  });

  test('refuses values of another type or shape', () => {
    const build = (axes: readonly (number | string)[], type: 'float32' | 'int64') => (): unknown =>
      buildGraph(
        {
          name: 'outer',
          signature: { inputs: { x: type === 'int64' ? i64('n', 2) : f32(...axes) }, outputs: {} },
          weights: unweighted,
        },
        (_, { x }, weights) => {
          writeSection(weights, doubled('inner'), { x: x as never });
          return {};
        },
      );
    expect(build(['n', 2], 'float32')).not.toThrow();
    expect(build(['m', 3], 'float32')).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(build(['n', 2], 'int64')).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
  });

  test('refuses inputs that are missing, and values that are no inputs', () => {
    const signature = { inputs: { x: f32('n', 2) }, outputs: {} };
    const build = (inputs: (x: unknown) => object) => (): unknown =>
      buildGraph({ name: 'outer', signature, weights: unweighted }, (_, { x }, weights) => {
        writeSection(weights, doubled('inner'), inputs(x) as never);
        return {};
      });
    expect(build((x) => ({ x }))).not.toThrow();
    expect(build(() => ({}))).toThrow(/Every input of a section must be given \(x\)/);
    expect(build((x) => ({ x, z: x }))).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});
