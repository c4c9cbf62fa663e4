import { mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { f32, type QuantizedWeight } from '@blip2/interfaces';
import { buildGraph, linear, tensorwiseProduct } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  blocks,
  type Case,
  columns,
  gelu,
  loadLayer,
  noise,
  product,
  relativeError,
  required,
  rounded,
  run,
  type Shape,
  stored,
  storeOf,
  twoRuns,
} from './quantized-linear.fixture.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-quantized-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Shapes of full-size and tiny checkpoints, and none that any kernel likes. */
const SHAPES: readonly Shape[] = [
  [96, 128],
  [130, 256],
  [56, 40],
  [40, 56],
  [3, 5],
  [33, 160],
];

describe.each([1, 3, 17])('a linear layer over integers, %d positions', (positions) => {
  // With 8 bits, and larger weights, sums of two products would overflow where the processor lacks VNNI.
  test.each(
    SHAPES.flatMap(
      (shape) =>
        [
          [8, 127, 63, ...shape],
          [7, 63, 127, ...shape],
        ] as const,
    ),
  )(
    'multiplies signed bytes by rows of activations in %d bits, %d steps to either side; weights up to %d, [%d, %d]',
    async (activationBits, steps, largest, out, inner) => {
      const shape: Shape = [out, inner];
      const layer = await columns(folder, shape, largest);
      const x = noise(positions * shape[1], 8);
      const y = await run(layer, x, shape, { activationBits });
      // The kernel rounds half to even; only numbers halfway may go elsewhere.
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
      // The runtime's error function is an approximation, so a number near halfway may go elsewhere: by one step.
      expect(relativeError(y, product(byRows, layer.weight, shape))).toBeLessThan(
        after === 'relu' ? 1e-5 : 0.3 / steps,
      );
      expect(relativeError(y, product(given, layer.weight, shape))).toBeLessThan(1 / steps);
    },
  );

  test.each(['linear', 'relu'])('adds up the largest numbers of all without overflow, after %s', async (after) => {
    const shape: Shape = [40, 1024];
    const x = new Float32Array(positions * shape[1]).fill(1);
    for (const sign of [1, -1]) {
      const weight = new Float64Array(shape[0] * shape[1]).fill(127 * sign);
      const values = new Int8Array(weight.length).fill(127 * sign);
      const tensors = await stored(folder, `largest-${sign}`, [
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

test('a row of zeros gives the bias, and others keep their scale', async () => {
  const layer = await columns(folder, [8, 16]);
  const x = new Float32Array(32);
  x.set(noise(16), 16);
  const y = await run(layer, x, [8, 16]);
  expect([...y.subarray(0, 8)]).toEqual([...noise(8, 5)]);
  expect(relativeError(y, product(x, layer.weight, [8, 16]))).toBeLessThan(0.02);
});

describe('outliers', () => {
  const shape: Shape = [64, 256];
  /** 20 positions, of which `large` are a hundred times as large, or these features of every position. */
  const planted = (positions: readonly number[], features: readonly number[]): Float32Array =>
    noise(20 * 256, 9).map(
      (value, i) => value * (positions.includes(Math.floor(i / 256)) || features.includes(i % 256) ? 100 : 1),
    );
  /** The largest error of a position, of the size of its own result. */
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
      if (weight?.precision !== 'int8') throw new TypeError('it is not in 8 bits');
      return { y: tensorwiseProduct(g, inputs.x, weight) };
    });
    await using session = await createSession(model, { threads: 1 });
    const { y } = await session.run({ x: { type: 'float32', dims: [20, 256], data: x } });
    return y.data.map((value, i) => value + (noise(64, 5)[i % 64] ?? 0));
  }

  test('of one position cost the others nothing with a scale per row; with one scale per tensor they ruin them', async () => {
    const layer = await columns(folder, shape);
    const x = planted([0], []);
    const exact = product(x, layer.weight, shape);
    expect(worstPosition(await run(layer, x, shape), exact)).toBeLessThan(0.02);
    expect(worstPosition(await tensorwise(layer, x), exact)).toBeGreaterThan(0.3);
  });

  test('of two features take the bits of the others in their row, but blocks confine them', async () => {
    const x = planted([], [5, 77]);
    // What the other features contribute, without the bias.
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

describe('weights as the kernels want them', () => {
  const shape: Shape = [96, 128];
  const x = noise(3 * 128, 8);
  const kept = async (layer: Case, name: string): Promise<[layer: Case, cache: string]> => {
    const packedFolder = join(folder, name);
    return [{ ...layer, store: { ...layer.store, packedFolder } }, packedFolder];
  };

  /** What a cache has, without digests and random names. */
  const entries = async (cache: string): Promise<string[]> =>
    (await readdir(cache)).map((name) => name.replace(/[0-9a-f]{32}|[0-9a-f-]{36}/g, '#'));

  /** Overwrites the integers that the first session read. */
  const spoil = async ({ store }: Case): Promise<void> => {
    const { file = '', byteLength = 0 } = store.quantized?.get('fc.weight')?.values ?? {};
    await writeFile(file, new Uint8Array(byteLength), { flag: 'r+' });
  };

  test.each(['int8', 'q8', 'q4'] as const)(
    'are kept, and a later session takes them from there: %s',
    async (precision) => {
      const plain = precision === 'int8' ? await columns(folder, shape) : await blocks(folder, precision, shape, 32);
      const [layer, cache] = await kept(plain, `packed-${precision}`);
      const expected = await run(plain, x, shape);
      expect(await run(layer, x, shape)).toEqual(expected);
      const [entry = '', ...others] = await readdir(cache);
      expect(others).toEqual([]);
      expect((await readdir(join(cache, entry))).toSorted()).toEqual(['compared.json', 'graph.onnx', 'weights.data']);
      // What the first session read is spoilt: the second one has the kept weights, alone or from its second run.
      await spoil(layer);
      const [, second] = await twoRuns(layer, x, shape);
      expect(second).toEqual(expected);
    },
  );

  test('are made again when they have been cut', async () => {
    const [layer, cache] = await kept(await columns(folder, shape), 'packed-cut');
    const expected = await run(layer, x, shape);
    const [entry = ''] = await readdir(cache);
    await truncate(join(cache, entry, 'weights.data'), 100);
    expect(await run(layer, x, shape)).toEqual(expected);
    await spoil(layer);
    const [, second] = await twoRuns(layer, x, shape);
    expect(second).toEqual(expected);
  });

  test('are made again when their graph is none', async () => {
    const [layer, cache] = await kept(await columns(folder, shape), 'packed-damaged');
    const expected = await run(layer, x, shape);
    const [entry = ''] = await readdir(cache);
    await writeFile(join(cache, entry, 'graph.onnx'), 'no graph');
    expect(await run(layer, x, shape)).toEqual(expected);
  });

  /**
   * The lengths of their weights and scales are no multiples of 64 bytes: the runtime saves what follows at offsets
   * that are none either.
   */
  const shapes: readonly (readonly [Shape, blockSize: number])[] = [
    [[130, 256], 128],
    [[129, 160], 32],
    [[72, 160], 32],
    [[136, 384], 128],
  ];
  const ragged = shapes.flatMap(([size, blockSize]) =>
    (['int8', 'q8', 'q4'] as const).map((precision) => [precision, size, blockSize] as const),
  );
  test.each(ragged)('give the same numbers in three loads: %s %j', async (precision, size, blockSize) => {
    const plain = precision === 'int8' ? await columns(folder, size) : await blocks(folder, precision, size, blockSize);
    const [layer, cache] = await kept(plain, `ragged-${precision}-${size.join('-')}`);
    const input = noise(3 * size[1], 8);
    const expected = await run(plain, input, size);
    for (let load = 0; load < 3; load++) expect(await run(layer, input, size)).toEqual(expected);
    expect(await entries(cache)).toEqual(['linear-#']);
  });

  /** The names of tensors are those of a graph's weights, hence unique. */
  const named = ({ values, scales, ...weight }: QuantizedWeight, layer: number): QuantizedWeight =>
    ({
      ...weight,
      values: { ...values, name: `${layer}.values` },
      scales: { ...scales, name: `${layer}.scales` },
    }) as QuantizedWeight;

  test.each(['q8', 'q4'] as const)('give the same numbers at the width of a stock Q-Former: %s', async (precision) => {
    // The length of the first prepacked weight, which is odd, decides where the second one begins.
    const layers = [await blocks(folder, precision, [768, 768], 128), await blocks(folder, precision, [96, 768], 128)];
    const quantized = new Map(
      layers.flatMap(({ store }, layer) =>
        [...(store.quantized?.values() ?? [])].map((weight) => [`${layer}.weight`, named(weight, layer)] as const),
      ),
    );
    const packedFolder = join(folder, `two-${precision}`);
    const signature = { inputs: { x: f32('batch', 768) }, outputs: { y: f32('batch', 96) } } as const;
    const x = { type: 'float32', dims: [2, 768], data: noise(2 * 768, 8) } as const;
    const load = async (keep: boolean): Promise<Float32Array[]> => {
      const weights = { folder, tensors: new Map(), quantized, ...(keep && { packedFolder }) };
      const model = buildGraph({ name: 'two', signature, weights }, (g, inputs, root) => {
        const hidden = linear(g, inputs.x, root.at('0'), { inFeatures: 768, outFeatures: 768, bias: false });
        return { y: linear(g, hidden, root.at('1'), { inFeatures: 768, outFeatures: 96, bias: false }) };
      });
      await using session = await createSession(model, { threads: 1 });
      return [(await session.run({ x })).y.data, (await session.run({ x })).y.data];
    };
    const [expected] = await load(false);
    expect(expected?.every(Number.isFinite)).toBe(true);
    for (let time = 0; time < 3; time++) expect(await load(true)).toEqual([expected, expected]);
    expect(await entries(packedFolder)).toEqual(['two-#']);
  });

  /** Changes every byte of a file and leaves its length. */
  const flip = async (file: string): Promise<void> =>
    writeFile(
      file,
      (await readFile(file)).map((byte) => byte ^ 0x55),
    );

  test('are not kept if a session over them returns something else, and not tried again', async () => {
    const plain = await blocks(folder, 'q4', shape, 32);
    const expected = await run(plain, x, shape);
    const [layer, cache] = await kept(plain, 'packed-different');
    {
      await using loaded = await loadLayer(layer, shape);
      expect(await loaded.run(x)).toEqual(expected);
      expect(await entries(cache)).toEqual(['linear-#.#.tmp']);
      const [temporary = ''] = await readdir(cache);
      await flip(join(cache, temporary, 'weights.data'));
      expect(await loaded.run(x)).toEqual(expected);
    }
    expect(await entries(cache)).toEqual(['linear-#.refused']);
    await using again = await loadLayer(layer, shape);
    expect(await again.run(x)).toEqual(expected);
    expect(await entries(cache)).toEqual(['linear-#.refused']);
    expect(await again.run(x)).toEqual(expected);
  });

  test.each([
    ['q4', ['linear-#']],
    // Was never prepacked.
    ['int8', undefined],
  ] as const)('are compared when a session ends that ran once: %s', async (precision, expected) => {
    const plain = precision === 'int8' ? await columns(folder, shape) : await blocks(folder, precision, shape, 32);
    const [layer, cache] = await kept(plain, `packed-once-${precision}`);
    const loaded = await loadLayer(layer, shape);
    const first = await loaded.run(x);
    await loaded[Symbol.asyncDispose]();
    expect(await entries(cache).catch(() => undefined)).toEqual(expected);
    expect(await run(layer, x, shape)).toEqual(first);
  });

  test('leave nothing of a session that never ran', async () => {
    const [layer, cache] = await kept(await blocks(folder, 'q4', shape, 32), 'packed-never');
    await (await loadLayer(layer, shape))[Symbol.asyncDispose]();
    expect(await entries(cache)).toEqual([]);
  });

  test.each(['int8', 'q4'] as const)('of a version that compared nothing are replaced: %s', async (precision) => {
    const plain = precision === 'int8' ? await columns(folder, shape) : await blocks(folder, precision, shape, 32);
    const [layer, cache] = await kept(plain, `packed-old-${precision}`);
    const expected = await run(layer, x, shape);
    const [entry = ''] = await readdir(cache);
    await rename(join(cache, entry, 'compared.json'), join(cache, entry, 'size.json'));
    await flip(join(cache, entry, 'weights.data'));
    expect(await run(layer, x, shape)).toEqual(expected);
    expect((await readdir(join(cache, entry))).toSorted()).toEqual(['compared.json', 'graph.onnx', 'weights.data']);
    expect(await run(layer, x, shape)).toEqual(expected);
  });

  test('are used unkept where the folder cannot be made', async () => {
    await writeFile(join(folder, 'a-file'), '');
    const [layer] = await kept(await columns(folder, shape), 'a-file/packed');
    expect(await run(layer, x, shape)).toEqual(await run(await columns(folder, shape), x, shape));
  });
});
