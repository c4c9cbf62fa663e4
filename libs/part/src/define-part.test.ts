import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, tensorSource } from '@blip2/checkpoint';
import { Blip2QFormerConfig, readConfig } from '@blip2/config';
import { f32, mustBe, type SessionFactory, type Tensor, type WeightStore } from '@blip2/interfaces';
import { buildGraph, linear, recordWeights, type WeightSource, type WrittenModel } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { definePart, definePartOfModel, type Part, type PartOfModel } from './define-part.ts';
import type { PartWeights } from './part-weights.ts';
import { plannedFiles } from './plan-part.ts';
import { transformerInitializer } from './random-weights.ts';
import type { StandalonePart } from './standalone-part.ts';

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-define-part-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const config = Blip2QFormerConfig.create({ hiddenSize: 32, numAttentionHeads: 2 });

/** One linear layer `[32, 32]` without bias. */
function build(weights: WeightSource, prefix: string): WrittenModel {
  const signature = { inputs: { x: f32('batch', 32) }, outputs: { y: f32('batch', 32) } };
  return buildGraph({ name: 'layer', signature, weights, prefix }, (g, { x }, root) => ({
    y: linear(g, x, root.at('layer'), { inFeatures: 32, outFeatures: 32, bias: false }),
  }));
}

interface LayerOptions {
  readonly factor?: number;
}
interface Layer extends StandalonePart<Blip2QFormerConfig> {
  apply(x: Float32Array): Promise<Tensor | undefined>;
}

const Layer: Part<Blip2QFormerConfig, Layer, PartWeights, LayerOptions> = definePart({
  label: 'layer',
  path: 'head',
  ownOptions: ['factor'],
  savedPath: 'inner',
  architectures: { blip_2_qformer: 'Layer', instructblip_qformer: 'InstructLayer' },
  config: Blip2QFormerConfig,
  tensors: (_, prefix) => recordWeights((weights) => void build(weights, prefix)),
  initializer: () => transformerInitializer(1),
  plan: {
    graphs: (_, weights, prefix) => void build(weights, prefix),
    decodeGraphs: (_, weights, prefix) => void build(weights, prefix),
    sensitive: [{ weights: /layer\.weight$/, instead: { small: 'int8' }, reason: 'for the test' }],
  },
  savedExtras: () => [tensorSource('extra', { type: 'float32', dims: [1], data: Float32Array.of(7) })],
  create: ({ sessions, weights: { store, prefix }, options: { factor = 1 } }) => {
    if (factor <= 0) throw mustBe('factor', 'a positive number', factor);
    return {
      async apply(data) {
        const session = await sessions.get('layer', () => build(store, prefix));
        const outputs = await session.run({ x: { type: 'float32', dims: [1, 32], data: data.map((x) => x * factor) } });
        return outputs['y'];
      },
    };
  },
  prepare: async ({ sessions, weights: { store, prefix } }) =>
    void (await sessions.get('layer', () => build(store, prefix))),
});

const x = Float32Array.from({ length: 32 }, (_, index) => index / 32);

test('a part with random weights is saved, loaded below its path and at the root, and computes the same', async () => {
  await using random = await Layer.fromConfig(config, { seed: 4, folder: scratch });
  const expected = (await random.apply(x))?.data;
  const folder = join(scratch, 'saved');
  await random.savePretrained(folder);
  expect([...(await openCheckpoint(folder)).tensors.keys()].toSorted()).toEqual(['extra', 'inner.layer.weight']);
  expect(await readConfig(folder)).toMatchObject({
    architectures: ['Layer'],
    model_type: 'blip_2_qformer',
    torch_dtype: 'float32',
    hidden_size: 32,
  });
  const Inner = definePartOfModel<Blip2QFormerConfig, Pick<Layer, 'apply'>>({
    label: 'layer',
    path: 'inner',
    config: Blip2QFormerConfig,
    create: ({ sessions, weights: { store, prefix } }) => ({
      apply: async (data) =>
        (
          await (
            await sessions.get('layer', () => build(store, prefix))
          ).run({
            x: { type: 'float32', dims: [1, 32], data },
          })
        )['y'],
    }),
  });
  await using loaded = await Inner.fromPretrained(folder);
  expect((await loaded.apply(x))?.data).toEqual(expected);
});

test('options reach the part, and weights are released if it cannot be created', async () => {
  await using plain = await Layer.fromConfig(config, { seed: 4 });
  await using scaled = await Layer.fromConfig(config, { seed: 4, factor: 2 });
  const [one, two] = [await plain.apply(x), await scaled.apply(x)];
  two?.data.forEach((value, index) => expect(Number(value)).toBeCloseTo(2 * Number(one?.data[index]), 4));
  const folder = await mkdtemp(join(scratch, 'refused-'));
  await expect(Layer.fromConfig(config, { factor: 0, folder })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(await readdir(folder)).toEqual([]);
});

test('conversion follows the plan: one file, or two if decoding steps have a form of their own', async () => {
  await using part = await Layer.fromConfig(config, { seed: 1 });
  const store: WeightStore = {
    folder: '/m',
    tensors: new Map(
      Layer.tensors(config, '').map(({ name, shape }) => [
        name,
        { name, shape, dtype: 'F32', file: '/m/model.safetensors', byteOffset: 0, byteLength: 4096 },
      ]),
    ),
  };
  const precisions = (dtype?: 'fast' | 'small' | 'q8'): string[][] =>
    plannedFiles(Layer.plan(config, { store, prefix: '' }, dtype)).map((file) =>
      file.map(({ precision }) => precision),
    );
  expect(precisions()).toEqual([]);
  expect(precisions('q8')).toEqual([['q8']]);
  expect(precisions('fast')).toEqual([['int8'], ['q4']]);
  expect(precisions('small')).toEqual([['int8']]);
  await using quantized = await Layer.fromConfig(config, { seed: 1, dtype: 'int8' });
  const [exact, rounded] = [await part.apply(x), await quantized.apply(x)];
  expect(rounded?.data).not.toEqual(exact?.data);
  rounded?.data.forEach((value, index) =>
    expect(Math.abs(Number(value) - Number(exact?.data[index]))).toBeLessThan(0.5),
  );
});

test('prepare creates the session, once; dispose releases the temporary files', async () => {
  const created: string[] = [];
  const createCounting: SessionFactory = (model, options) => {
    created.push(model.name);
    return createSession(model, options);
  };
  const folder = await mkdtemp(join(scratch, 'disposed-'));
  const part = await Layer.fromConfig(config, { folder, createSession: createCounting });
  await part.prepare();
  await part.apply(x);
  expect(created).toEqual(['layer']);
  await part.dispose();
  await expect(part.apply(x)).rejects.toMatchObject({ code: 'DISPOSED' });
  expect(await readdir(folder)).toEqual([]);
});

test('weights of a part can be checked when they are opened', async () => {
  const folder = join(scratch, 'checked');
  await using random = await Layer.fromConfig(config, { seed: 4 });
  await random.savePretrained(folder);
  const Checked: PartOfModel<Blip2QFormerConfig, object> = definePartOfModel({
    label: 'layer',
    path: 'inner',
    config: Blip2QFormerConfig,
    extend: async ({ store }) => {
      throw mustBe('store', 'empty', store.tensors.size);
    },
    create: () => ({}),
  });
  await expect(Checked.fromPretrained(folder)).rejects.toMatchObject({ details: { argument: 'store', got: '2' } });
  expect(existsSync(folder)).toBe(true);
});
