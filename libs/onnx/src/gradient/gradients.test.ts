import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Blip2Error, f32, i64, type Tensor } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { buildGraph } from '../build-graph.ts';
import { composeGraph } from '../compose-graph.ts';
import { type F32, ids, random } from '../fixtures/run-graph.ts';
import { floatTensor, writeWeightFile } from '../fixtures/weight-file.ts';
import { Graph } from '../graph.ts';
import { decodeModel } from '../model-proto.ts';
import { attention } from '../nn/attention.ts';
import { blocks, type Case, columns, noise } from '../nn/fixtures/quantized-linear.ts';
import { linear } from '../nn/linear.ts';
import { cast } from '../ops/cast.ts';
import { add, mul, scale, unary } from '../ops/elementwise.ts';
import { gather } from '../ops/gather.ts';
import { reduce } from '../ops/reduce.ts';
import { trainedWeights, type WeightSource } from '../weights.ts';
import { buildPullback } from './build-pullback.ts';
import { gradients } from './gradients.ts';
import { withPullback } from './pullback.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-gradients-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const codeOf = (run: () => unknown): Partial<Blip2Error> => {
  try {
    run();
  } catch (error) {
    return error as Blip2Error;
  }
  return {};
};

describe('gradients', () => {
  const one = (g: Graph, ...axes: number[]): F32 =>
    g.constant('float32', axes, new Array<number>(axes.reduce((a, b) => a * b, 1)).fill(1));

  test('refuses an operator without a pullback by its name', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [2]);
    const y = g.node('Hardmax', [x], { type: 'float32', axes: [2] });
    const error = codeOf(() => gradients(g, [{ value: y, gradient: one(g, 2) }], [x]));
    expect(error).toMatchObject({
      code: 'UNSUPPORTED_ARCHITECTURE',
      details: { subject: 'Hardmax', where: 'Hardmax' },
    });
    expect(error.message).toContain('Hardmax');
  });

  test('does not ask for the pullback of an operator that is not between', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [2]);
    const frozen = g.node('Hardmax', [g.input('z', 'float32', [2])], { type: 'float32', axes: [2] });
    const y = mul(g, x, frozen);
    expect(gradients(g, [{ value: y, gradient: one(g, 2) }], [x])).toHaveLength(1);
  });

  test('refuses attention over a cache', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', ['b', 3, 4]);
    const past = g.input('past', 'float32', ['b', 2, 5, 2]);
    const options = { numHeads: 2, probabilities: false };
    const { context } = attention(g, { query: x, key: x, value: x, past: { key: past, value: past } }, options);
    const seed = g.input('dy', 'float32', ['b', 3, 4]);
    expect(codeOf(() => gradients(g, [{ value: context, gradient: seed }], [x])).code).toBe('UNSUPPORTED_ARCHITECTURE');
  });

  test('refuses a value that no seed depends on', () => {
    const g = new Graph();
    const [x, z] = [g.input('x', 'float32', [2]), g.input('z', 'float32', [2])];
    const error = codeOf(() => gradients(g, [{ value: scale(g, x, 2), gradient: one(g, 2) }], [x, z]));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'wanted[1]', got: 'z' } });
  });

  test('refuses a way that leads through integers only', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [2]);
    const rounded = cast(g, cast(g, x, 'int64'), 'float32');
    const error = codeOf(() => gradients(g, [{ value: rounded, gradient: one(g, 2) }], [x]));
    expect(error.code).toBe('INVALID_ARGUMENT');
  });

  test('refuses a seed of another shape', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [2, 3]);
    for (const seed of [one(g, 3), one(g, 2, 2)])
      expect(codeOf(() => gradients(g, [{ value: scale(g, x, 2), gradient: seed }], [x])).code).toBe('SHAPE_MISMATCH');
  });

  test('replaces the operators of a layer by its own pullback', async () => {
    const model = composeGraph('own', { has: () => false, find: () => undefined }, ({ graph: g, input }) => {
      const x = input('x', f32('n'));
      // Its own operator has no pullback, and is not asked for one.
      const y = g.node('Round', [x], { type: 'float32', axes: ['n'] });
      withPullback(g, y, [x], (dy) => [() => scale(g, dy, 5)]);
      const loss = reduce(g, 'ReduceSum', mul(g, y, y), [0], { keep: false });
      const [gradient] = gradients(g, [{ value: loss, gradient: one(g) }], [x]) as [F32];
      return { gradient };
    });
    await using session = await createSession(model);
    const x: Tensor<'float32'> = { type: 'float32', dims: [3], data: Float32Array.of(1.2, -2.4, 0.3) };
    const { gradient } = (await session.run({ x } as never)) as unknown as { readonly gradient: Tensor<'float32'> };
    expect([...gradient.data]).toEqual([10, -20, 0]);
  });

  test('adds several seeds', async () => {
    const model = composeGraph('seeds', { has: () => false, find: () => undefined }, ({ graph: g, input }) => {
      const x = input('x', f32('n'));
      const [a, b] = [scale(g, x, 2), scale(g, x, 3)];
      const seeds = [a, b].map((value, index) => ({ value, gradient: input(`d${index}`, f32('n')) }));
      const [gradient] = gradients(g, seeds, [x]) as [F32];
      return { gradient };
    });
    await using session = await createSession(model);
    const vector = (...data: number[]): Tensor => ({ type: 'float32', dims: [2], data: Float32Array.from(data) });
    const feeds = { x: vector(0, 0), d0: vector(1, 10), d1: vector(2, 20) };
    const { gradient } = (await session.run(feeds as never)) as unknown as { readonly gradient: Tensor<'float32'> };
    expect([...gradient.data]).toEqual([8, 80]);
  });

  test('adds the gradients of all entries that were picked equally, on several threads', async () => {
    const [rows, width, picks] = [7, 64, 4096];
    const signature = { inputs: { x: f32(rows, width), ids: i64(picks) }, outputs: { y: f32(picks, width) } };
    const build = (weights: WeightSource): ReturnType<typeof buildGraph<typeof signature>> =>
      buildGraph({ name: 'picks', signature, weights }, (g, { x, ids: at }) => ({ y: gather(g, x, at, 0) }));
    const source = { has: () => false, find: () => undefined };
    const model = buildPullback({ build: build as never, weights: source, outputs: ['y'], inputs: ['x'] });
    await using session = await createSession(model, { threads: 4 });
    const at = Array.from({ length: picks }, (_, index) => index % rows);
    const seed = { type: 'float32', dims: [picks, width], data: new Float32Array(picks * width).fill(1) };
    const feeds = { x: random(rows, width), ids: ids([picks], at), 'gradient.y': seed };
    const outputs = (await session.run(feeds as never)) as unknown as Readonly<Record<string, Tensor<'float32'>>>;
    const counts = Array.from({ length: rows }, (_, row) => at.filter((each) => each === row).length);
    expect([...(outputs['gradient.x']?.data ?? [])]).toEqual(
      counts.flatMap((count) => new Array<number>(width).fill(count)),
    );
  });
});

describe('trained weights', () => {
  test('are inputs, and frozen ones stay in their file', async () => {
    const [first, second] = [random(3, 2), random(2, 3)];
    const tensors = await writeWeightFile(folder, 'two', [
      floatTensor('a.weight', first, 'F32'),
      floatTensor('b.weight', second, 'F16'),
    ]);
    const signature = { inputs: { x: f32('n', 2) }, outputs: { y: f32('n', 2) } };
    const model = buildGraph(
      { name: 'two', signature, weights: trainedWeights({ folder, tensors }, (name) => name === 'b.weight') },
      (g, { x }, root) => {
        const middle = linear(g, x, root.at('a'), { inFeatures: 2, outFeatures: 3, bias: false });
        return { y: linear(g, middle, root.at('b'), { inFeatures: 3, outFeatures: 2, bias: false }) };
      },
    );
    expect(Object.keys(model.signature.inputs)).toEqual(['x', 'b.weight']);
    expect(model.weightNames).toEqual(['a.weight', 'b.weight']);
    await using session = await createSession(model);
    const x = random(1, 2);
    const run = async (weight: Tensor<'float32'>): Promise<number[]> => [
      ...(await session.run({ x, 'b.weight': weight } as never)).y.data,
    ];
    const one = await run(second);
    const twice = await run({ ...second, data: second.data.map((value) => 2 * value) });
    expect(one.some((value) => value !== 0)).toBe(true);
    expect(twice).toEqual(one.map((value) => 2 * value));
  });

  test('are not quantized', async () => {
    const { store } = await columns(folder, [4, 8]);
    const tensors = await writeWeightFile(folder, 'float', [
      floatTensor('fc.weight', random(4, 8), 'F32'),
      floatTensor('fc.bias', random(4), 'F32'),
    ]);
    const signature = { inputs: { x: f32('n', 8) }, outputs: { y: f32('n', 4) } };
    const both = { ...store, tensors };
    const inputsOf = (weights: WeightSource): string[] =>
      Object.keys(
        buildGraph({ name: 'fc', signature, weights }, (g, { x }, root) => ({
          y: linear(g, x, root.at('fc'), { inFeatures: 8, outFeatures: 4, bias: true }),
        })).signature.inputs,
      );
    expect(inputsOf(both)).toEqual(['x']);
    expect(inputsOf(trainedWeights(both, () => true))).toEqual(['x', 'fc.weight', 'fc.bias']);
  });
});

describe('quantized linear layers', () => {
  const cases: readonly (readonly [name: string, make: () => Promise<Case>, inner: number])[] = [
    ['int8', () => columns(folder, [6, 32]), 32],
    ['q8', () => blocks(folder, 'q8', [6, 64], 32), 64],
    ['q4', () => blocks(folder, 'q4', [6, 64], 32), 64],
    ['q4 with a shorter last block', () => blocks(folder, 'q4', [6, 48], 32), 48],
  ];
  test.each(cases)('%s: the gradient is that of the dequantized matrix', async (_, make, inner) => {
    const { weight, store } = await make();
    const [out, rows] = [6, 5];
    const signature = { inputs: { x: f32('batch', 'n', inner) }, outputs: { y: f32('batch', 'n', out) } };
    const build = (weights: WeightSource): ReturnType<typeof buildGraph<typeof signature>> =>
      buildGraph({ name: 'fc', signature, weights }, (g, { x }, root) => ({
        y: linear(g, x, root.at('fc'), { inFeatures: inner, outFeatures: out, bias: true }),
      }));
    const model = buildPullback({ build: build as never, weights: store, outputs: ['y'], inputs: ['x'] });
    await using session = await createSession(model);
    const dy = noise(rows * out, 9);
    const outputs = (await session.run({
      x: { type: 'float32', dims: [1, rows, inner], data: noise(rows * inner, 8) },
      'gradient.y': { type: 'float32', dims: [1, rows, out], data: dy },
    } as never)) as unknown as Readonly<Record<string, Tensor<'float32'>>>;
    const got = outputs['gradient.x']?.data ?? [];
    expect(got).toHaveLength(rows * inner);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < inner; column++) {
        let expected = 0;
        for (let o = 0; o < out; o++) expected += (dy[row * out + o] ?? 0) * (weight[o * inner + column] ?? 0);
        expect(Math.abs((got[row * inner + column] ?? Number.NaN) - expected)).toBeLessThan(1e-5);
      }
  });
});

test.each([
  ['int8', () => columns(folder, [6, 32]), 32],
  ['q4', () => blocks(folder, 'q4', [6, 64], 32), 64],
] as const)('%s: no matrix is widened before the gradient needs it', async (_, make, inner) => {
  const { store } = await make();
  const signature = { inputs: { x: f32('n', inner) }, outputs: { y: f32('n', 6) } };
  const build = (weights: WeightSource): ReturnType<typeof buildGraph<typeof signature>> =>
    buildGraph({ name: 'fc', signature, weights }, (g, { x }, root) => ({
      y: linear(g, x, root.at('fc'), { inFeatures: inner, outFeatures: 6, bias: false }),
    }));
  const pullback = buildPullback({ build: build as never, weights: store, outputs: ['y'], inputs: ['x'] });
  const { graph } = await decodeModel(pullback.serialize());
  const nodes = graph?.node ?? [];
  const constants = new Set(graph?.initializer.map(({ name }) => name));
  // onnxruntime runs nodes over constants alone first, and keeps what they return.
  for (const { input, output } of nodes)
    if (input.every((name) => name === '' || constants.has(name))) output.forEach((name) => constants.add(name));
  const widening = nodes.filter(({ opType }) => /^(?:DequantizeLinear|GatherBlockQuantized)$/.test(opType));
  expect(widening).toHaveLength(1);
  for (const { output } of widening) expect(constants.has(output[0] ?? '')).toBe(false);
});

describe('composed graphs', () => {
  const double = (weights: WeightSource): ReturnType<typeof buildGraph> =>
    buildGraph(
      { name: 'double', signature: { inputs: { x: f32('n', 2) }, outputs: { y: f32('n', 2) } }, weights },
      (g, { x }) => ({ y: scale(g, x, 2) }),
    ) as never;
  const none = { has: () => false, find: () => undefined };

  test('connect sections that name an axis otherwise', async () => {
    const square = (weights: WeightSource): ReturnType<typeof buildGraph> =>
      buildGraph(
        { name: 'square', signature: { inputs: { a: f32('rows', 2) }, outputs: { b: f32('rows', 2) } }, weights },
        (g, { a }) => ({ b: add(g, mul(g, a, a), a) }),
      ) as never;
    const model = composeGraph('both', none, ({ graph: g, write, input }) => {
      const x = input('x', f32('n', 2));
      const { y } = write(double, { x }) as unknown as { readonly y: F32 };
      const { b } = write(square, { a: y }) as unknown as { readonly b: F32 };
      const seed = unary(g, 'Neg', unary(g, 'Neg', input('seed', f32('rows', 2))));
      const [gradient] = gradients(g, [{ value: b, gradient: seed }], [x]) as [F32];
      return { b, gradient };
    });
    await using session = await createSession(model);
    const tensor = (...data: number[]): Tensor => ({ type: 'float32', dims: [1, 2], data: Float32Array.from(data) });
    const outputs = (await session.run({ x: tensor(1, 3), seed: tensor(1, 10) } as never)) as unknown as Readonly<
      Record<string, Tensor<'float32'>>
    >;
    expect([...(outputs['b']?.data ?? [])]).toEqual([6, 42]);
    expect([...(outputs['gradient']?.data ?? [])]).toEqual([10, 260]);
  });

  test('refuse a value of another width, and one that is no input', () => {
    const compose = (name: string, width: number): unknown =>
      codeOf(() =>
        composeGraph(
          'both',
          none,
          ({ write, input }) => write(double, { [name]: input('v', f32('n', width)) }) as never,
        ),
      ).code;
    expect(compose('x', 3)).toBe('SHAPE_MISMATCH');
    expect(compose('z', 2)).toBe('INVALID_ARGUMENT');
  });

  test('refuse inputs of one name and two shapes', () => {
    const compose = (): unknown =>
      composeGraph('both', none, ({ input }) => ({ a: input('v', f32('n', 2)), b: input('v', f32('n', 3)) }));
    expect(codeOf(compose).code).toBe('INVALID_ARGUMENT');
  });

  test('cannot be serialized as a section', () => {
    let section: ReturnType<typeof buildGraph> | undefined;
    composeGraph('both', none, ({ write }) => write((weights) => (section = double(weights))) as never);
    expect(codeOf(() => section?.serialize()).code).toBe('INVALID_STATE');
  });
});
