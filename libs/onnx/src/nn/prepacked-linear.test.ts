import { mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { f32, type QuantizedWeight } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { buildGraph } from '../build-graph.ts';
import { blocks, type Case, columns, loadLayer, noise, run, type Shape, twoRuns } from './fixtures/quantized-linear.ts';
import { linear } from './linear.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-prepacked-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('prepacked weights', () => {
  const shape: Shape = [96, 128];
  const x = noise(3 * 128, 8);
  const kept = async (layer: Case, name: string): Promise<[layer: Case, cache: string]> => {
    const packedFolder = join(folder, name);
    return [{ ...layer, store: { ...layer.store, packedFolder } }, packedFolder];
  };

  /** Entries of a cache, without digests and random names. */
  const entries = async (cache: string): Promise<string[]> =>
    (await readdir(cache)).map((name) => name.replace(/[0-9a-f]{32}|[0-9a-f]{8}-\d+\.[0-9a-f]{8}/g, '#'));

  /** Overwrites the quantized weights that the first session used. */
  const spoil = async ({ store }: Case): Promise<void> => {
    const { file = '', byteLength = 0 } = store.quantized?.get('fc.weight')?.values ?? {};
    await writeFile(file, new Uint8Array(byteLength), { flag: 'r+' });
  };

  test.each(['int8', 'q8', 'q4'] as const)('are kept in a file and used by a later session: %s', async (precision) => {
    const plain = precision === 'int8' ? await columns(folder, shape) : await blocks(folder, precision, shape, 32);
    const [layer, cache] = await kept(plain, `packed-${precision}`);
    const expected = await run(plain, x, shape);
    expect(await run(layer, x, shape)).toEqual(expected);
    const [entry = '', ...others] = await readdir(cache);
    expect(others).toEqual([]);
    expect((await readdir(join(cache, entry))).toSorted()).toEqual([
      'compared.json',
      'graph.onnx',
      'verified',
      'weights.data',
    ]);
    // With the source overwritten, the second session depends on the kept weights, at the latest in its second run.
    await spoil(layer);
    const [, second] = await twoRuns(layer, x, shape);
    expect(second).toEqual(expected);
  });

  test('are created again if the file was truncated', async () => {
    const [layer, cache] = await kept(await columns(folder, shape), 'packed-cut');
    const expected = await run(layer, x, shape);
    const [entry = ''] = await readdir(cache);
    await truncate(join(cache, entry, 'weights.data'), 100);
    expect(await run(layer, x, shape)).toEqual(expected);
    await spoil(layer);
    const [, second] = await twoRuns(layer, x, shape);
    expect(second).toEqual(expected);
  });

  test('are created again if the graph file is damaged', async () => {
    const [layer, cache] = await kept(await columns(folder, shape), 'packed-damaged');
    const expected = await run(layer, x, shape);
    const [entry = ''] = await readdir(cache);
    await writeFile(join(cache, entry, 'graph.onnx'), 'no graph');
    expect(await run(layer, x, shape)).toEqual(expected);
  });

  /**
   * Weights and scales whose lengths are not multiples of 64 bytes, so onnxruntime saves the next at unaligned offsets.
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
  test.each(ragged)('return the same results in three loads: %s %j', async (precision, size, blockSize) => {
    const plain = precision === 'int8' ? await columns(folder, size) : await blocks(folder, precision, size, blockSize);
    const [layer, cache] = await kept(plain, `ragged-${precision}-${size.join('-')}`);
    const input = noise(3 * size[1], 8);
    const expected = await run(plain, input, size);
    for (let load = 0; load < 3; load++) expect(await run(layer, input, size)).toEqual(expected);
    expect(await entries(cache)).toEqual(['linear-#']);
  });

  /** Renames the tensors of a layer, since initializer names must be unique in a graph. */
  const named = ({ values, scales, ...weight }: QuantizedWeight, layer: number): QuantizedWeight =>
    ({
      ...weight,
      values: { ...values, name: `${layer}.values` },
      scales: { ...scales, name: `${layer}.scales` },
    }) as QuantizedWeight;

  test.each(['q8', 'q4'] as const)(
    'return the same results at the width of a stock Q-Former: %s',
    async (precision) => {
      // The length of the first prepacked weight is odd and determines the offset of the second one.
      const layers = [
        await blocks(folder, precision, [768, 768], 128),
        await blocks(folder, precision, [96, 768], 128),
      ];
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
    },
  );

  /** Changes every byte of a file but not its length. */
  const flip = async (file: string): Promise<void> =>
    writeFile(
      file,
      (await readFile(file)).map((byte) => byte ^ 0x55),
    );

  test('are discarded if a session over them returns other results, and not tried again', async () => {
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
    // Never prepacked.
    ['int8', undefined],
  ] as const)('are compared when a session is released after one run: %s', async (precision, expected) => {
    const plain = precision === 'int8' ? await columns(folder, shape) : await blocks(folder, precision, shape, 32);
    const [layer, cache] = await kept(plain, `packed-once-${precision}`);
    const loaded = await loadLayer(layer, shape);
    const first = await loaded.run(x);
    await loaded[Symbol.asyncDispose]();
    expect(await entries(cache).catch(() => undefined)).toEqual(expected);
    expect(await run(layer, x, shape)).toEqual(first);
  });

  test('are not kept for a session that never ran', async () => {
    const [layer, cache] = await kept(await blocks(folder, 'q4', shape, 32), 'packed-never');
    await (await loadLayer(layer, shape))[Symbol.asyncDispose]();
    expect(await entries(cache)).toEqual([]);
  });

  test.each(['int8', 'q4'] as const)('of a version without comparison are replaced: %s', async (precision) => {
    const plain = precision === 'int8' ? await columns(folder, shape) : await blocks(folder, precision, shape, 32);
    const [layer, cache] = await kept(plain, `packed-old-${precision}`);
    const expected = await run(layer, x, shape);
    const [entry = ''] = await readdir(cache);
    await rename(join(cache, entry, 'compared.json'), join(cache, entry, 'size.json'));
    await flip(join(cache, entry, 'weights.data'));
    expect(await run(layer, x, shape)).toEqual(expected);
    expect((await readdir(join(cache, entry))).toSorted()).toEqual([
      'compared.json',
      'graph.onnx',
      'verified',
      'weights.data',
    ]);
    expect(await run(layer, x, shape)).toEqual(expected);
  });

  test('are used without being kept if the folder cannot be created', async () => {
    await writeFile(join(folder, 'a-file'), '');
    const [layer] = await kept(await columns(folder, shape), 'a-file/packed');
    expect(await run(layer, x, shape)).toEqual(await run(await columns(folder, shape), x, shape));
  });
});
