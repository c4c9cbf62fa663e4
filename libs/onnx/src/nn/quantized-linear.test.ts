import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { f32 } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { buildGraph } from '../build-graph.ts';
import { writeWeightFile } from '../fixtures/weight-file.ts';
import {
  blocks,
  type Case,
  columns,
  gelu,
  noise,
  product,
  relativeError,
  required,
  rounded,
  run,
  type Shape,
  storeOf,
} from './fixtures/quantized-linear.ts';
import { tensorwiseProduct } from './fixtures/tensorwise-product.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-quantized-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Shapes of full-size and tiny checkpoints, and some that suit no kernel. */
const SHAPES: readonly Shape[] = [
  [96, 128],
  [130, 256],
  [56, 40],
  [40, 56],
  [3, 5],
  [33, 160],
];

describe.each([1, 3, 17])('a quantized linear layer, %d positions', (positions) => {
  // With 8 bits and larger weights, sums of two products would overflow on processors without VNNI.
  test.each(
    SHAPES.flatMap(
      (shape) =>
        [
          [8, 127, 63, ...shape],
          [7, 63, 127, ...shape],
        ] as const,
    ),
  )(
    'multiplies signed bytes by rows of activations in %d bits, %d steps on either side; weights up to %d, [%d, %d]',
    async (activationBits, steps, largest, out, inner) => {
      const shape: Shape = [out, inner];
      const layer = await columns(folder, shape, largest);
      const x = noise(positions * shape[1], 8);
      const y = await run(layer, x, shape, { activationBits });
      // The kernel rounds half to even, so only ties may be rounded differently.
      expect(relativeError(y, product(rounded(x, shape[1], shape[1], steps), layer.weight, shape))).toBeLessThan(1e-5);
      expect(relativeError(y, product(x, layer.weight, shape))).toBeLessThan(1.3 / steps);
    },
  );

  test.each([
    [8, 255, 63, 'relu'],
    [7, 127, 127, 'relu'],
    [8, 223, 63, 'gelu'],
    [7, 111, 127, 'gelu'],
  ] as const)(
    'with %d bits uses %d steps above zero, weights up to %d, after %s',
    async (activationBits, steps, largest, after) => {
      const shape: Shape = [33, 160];
      const layer = await columns(folder, shape, largest);
      const x = noise(positions * shape[1], 8).map((value) => 4 * value);
      const given = x.map((value) => (after === 'relu' ? Math.max(value, 0) : gelu(value)));
      const y = await run(layer, x, shape, { activationBits, after });
      const byRows = rounded(given, shape[1], shape[1], steps);
      // onnxruntime approximates the error function, so a number close to a tie may be off by one step.
      expect(relativeError(y, product(byRows, layer.weight, shape))).toBeLessThan(
        after === 'relu' ? 1e-5 : 0.3 / steps,
      );
      expect(relativeError(y, product(given, layer.weight, shape))).toBeLessThan(1 / steps);
    },
  );

  test.each(['linear', 'relu'])('sums the largest products without overflow, after %s', async (after) => {
    const shape: Shape = [40, 1024];
    const x = new Float32Array(positions * shape[1]).fill(1);
    for (const sign of [1, -1]) {
      const weight = new Float64Array(shape[0] * shape[1]).fill(127 * sign);
      const values = new Int8Array(weight.length).fill(127 * sign);
      const tensors = await writeWeightFile(folder, `largest-${sign}`, [
        ['v', 'I8', [shape[1], shape[0]], values],
        ['s', 'F32', [shape[0]], new Float32Array(shape[0]).fill(1)],
        ['fc.bias', 'F32', [shape[0]], noise(shape[0], 5)],
      ]);
      const store = storeOf(folder, tensors, {
        precision: 'int8',
        shape,
        values: required(tensors, 'v'),
        scales: required(tensors, 's'),
      });
      expect(relativeError(await run({ weight, store }, x, shape, { after }), product(x, weight, shape))).toBeLessThan(
        1e-5,
      );
    }
  });

  test.each(
    (['q8', 'q4'] as const).flatMap((precision) =>
      SHAPES.flatMap((shape) => [
        [precision, ...shape, 32] as const,
        ...(shape[1] % 128 === 0 ? [[precision, ...shape, 128] as const] : []),
      ]),
    ),
  )('multiplies blocks of %s, [%d, %d] in blocks of %d', async (precision, out, inner, blockSize) => {
    const layer = await blocks(folder, precision, [out, inner], blockSize);
    const x = noise(positions * inner, 8);
    const y = await run(layer, x, [out, inner]);
    const exact = product(x, layer.weight, [out, inner]);
    const byBlocks = relativeError(y, product(rounded(x, inner, blockSize), layer.weight, [out, inner]));
    expect(relativeError(y, exact)).toBeLessThan(0.01);
    expect(byBlocks).toBeLessThan(1e-5);
  });
});

test('a row of zeros returns the bias, and other rows keep their scale', async () => {
  const layer = await columns(folder, [8, 16]);
  const x = new Float32Array(32);
  x.set(noise(16), 16);
  const y = await run(layer, x, [8, 16]);
  expect([...y.subarray(0, 8)]).toEqual([...noise(8, 5)]);
  expect(relativeError(y, product(x, layer.weight, [8, 16]))).toBeLessThan(0.02);
});

describe('outliers', () => {
  const shape: Shape = [64, 256];
  /** 20 positions; the given positions, and the given features of every position, are a hundred times as large. */
  const planted = (positions: readonly number[], features: readonly number[]): Float32Array =>
    noise(20 * 256, 9).map(
      (value, i) => value * (positions.includes(Math.floor(i / 256)) || features.includes(i % 256) ? 100 : 1),
    );
  /** The largest relative error of a position. */
  const worstPosition = (y: Float32Array, exact: readonly number[]): number =>
    Math.max(
      ...Array.from({ length: 20 }, (_, position) =>
        relativeError(y.subarray(position * 64, position * 64 + 64), exact.slice(position * 64, position * 64 + 64)),
      ),
    );

  async function tensorwise({ store }: Case, x: Float32Array): Promise<Float32Array> {
    const signature = { inputs: { x: f32('positions', 256) }, outputs: { y: f32('positions', 64) } } as const;
    const model = buildGraph({ name: 'tensorwise', signature, weights: store }, (g, inputs, root) => {
      const weight = root.at('fc').getQuantized('weight', shape);
      if (weight?.precision !== 'int8') throw new TypeError('the weight is not in 8 bits');
      return { y: tensorwiseProduct(g, inputs.x, weight) };
    });
    await using session = await createSession(model, { threads: 1 });
    const { y } = await session.run({ x: { type: 'float32', dims: [20, 256], data: x } });
    return y.data.map((value, i) => value + (noise(64, 5)[i % 64] ?? 0));
  }

  test('of one position ruin the others with one scale per tensor, but not with one per row', async () => {
    const layer = await columns(folder, shape);
    const x = planted([0], []);
    const exact = product(x, layer.weight, shape);
    expect(worstPosition(await run(layer, x, shape), exact)).toBeLessThan(0.02);
    expect(worstPosition(await tensorwise(layer, x), exact)).toBeGreaterThan(0.3);
  });

  test('of two features cost the other features of a row precision, except with blocks', async () => {
    const x = planted([], [5, 77]);
    // Contribution of the other features, without the bias.
    const loss = async (layer: Case): Promise<number> => {
      const share = product(
        x,
        layer.weight.map((value, i) => ([5, 77].includes(i % 256) ? 0 : value)),
        shape,
      ).map((value, i) => value - (noise(64, 5)[i % 64] ?? 0));
      const [y, exact] = [await run(layer, x, shape), product(x, layer.weight, shape)];
      const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number * number, 0);
      return Math.sqrt(sum(exact.map((value, i) => (y[i] ?? NaN) - value)) / sum(share));
    };
    expect(await loss(await columns(folder, shape))).toBeGreaterThan(
      2 * (await loss(await blocks(folder, 'q8', shape, 32))),
    );
  });
});
