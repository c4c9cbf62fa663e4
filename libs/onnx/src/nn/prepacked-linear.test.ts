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
