import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { listCachedConversions, openCheckpoint, readTensor } from '@blip2/checkpoint';
import { Blip2QFormerConfig } from '@blip2/config';
import { f32, type Tensor } from '@blip2/interfaces';
import { buildGraph, linear, recordWeights, type WeightSource, type WrittenModel } from '@blip2/onnx';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { definePart, type Part } from '../define-part.ts';
import { transformerInitializer } from '../random-weights.ts';
import type { StandalonePart } from '../standalone-part.ts';
import { type TinyTensor, writeAdapter } from './fixtures/adapter-folder.ts';

const SIZE = 32;
const config = Blip2QFormerConfig.create({ hiddenSize: SIZE, numAttentionHeads: 2 });
let scratch = '';
let base = '';
const folders: string[] = [];

/** Two linear layers: one as PyTorch stores it, with a bias, and one stored as `[in, out]`. */
function build(weights: WeightSource, prefix: string): WrittenModel {
  const signature = { inputs: { x: f32('batch', SIZE) }, outputs: { y: f32('batch', SIZE) } };
  return buildGraph({ name: 'layers', signature, weights, prefix }, (g, { x }, root) => {
    const size = { inFeatures: SIZE, outFeatures: SIZE };
    const first = linear(g, x, root.at('first'), { ...size, bias: true });
    return { y: linear(g, first, root.at('second'), { ...size, bias: false, transposed: true }) };
  });
}

interface Layers extends StandalonePart<Blip2QFormerConfig> {
  apply(): Promise<Tensor<'float32'>>;
}
const Layers: Part<Blip2QFormerConfig, Layers> = definePart({
  label: 'layers',
  path: 'head',
  architectures: { blip_2_qformer: 'Layers', instructblip_qformer: 'Layers' },
  config: Blip2QFormerConfig,
  tensors: (_, prefix) => recordWeights((weights) => void build(weights, prefix)),
  initializer: () => transformerInitializer(1),
  plan: { graphs: (_, weights, prefix) => void build(weights, prefix) },
  create: ({ sessions, weights: { store, prefix } }) => ({
    async apply() {
      const session = await sessions.get('layers', () => build(store, prefix));
      const x = { type: 'float32', dims: [1, SIZE], data: new Float32Array(SIZE).fill(0.1) } as const;
      return (await session.run({ x }))['y'] as Tensor<'float32'>;
    },
  }),
  prepare: async () => {},
});

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-adapt-'));
  base = join(scratch, 'base');
  await using random = await Layers.fromConfig(config, { seed: 1 });
  await random.savePretrained(base);
});
afterAll(() => Promise.all([scratch, ...folders].map((folder) => rm(folder, { recursive: true, force: true }))));

async function adapter(tensors: Readonly<Record<string, TinyTensor>>, options: object = {}): Promise<string> {
  const folder = await writeAdapter({ target_modules: ['first', 'second'], ...options }, tensors);
  folders.push(folder);
  return folder;
}
const lora = (module: string, rank = 2): Record<string, TinyTensor> => ({
  [`${module}.lora_A.weight`]: [rank, SIZE],
  [`${module}.lora_B.weight`]: [SIZE, rank],
});
const cache = (name: string): string => join(scratch, name);
const outputs = async (options: object = {}, source = base): Promise<Float32Array> => {
  await using layers = await Layers.fromPretrained(source, { convertedDir: cache('cache'), threads: 1, ...options });
  return (await layers.apply()).data;
};

test('only changed weights are written, and they are written once', async () => {
  const adapters = await adapter(lora('first'));
  const options = { adapters, convertedDir: cache('small') };
  const first = await outputs(options);
  expect(first).not.toEqual(await outputs());
  expect(await outputs(options)).toEqual(first);
  const [file, ...others] = await listCachedConversions(cache('small'));
  expect(others).toEqual([]);
  expect(file).toMatchObject({ part: 'head', state: 'ready', precisions: ['fp32'] });
  // One matrix and a header.
  expect(file?.bytes).toBeLessThan(4 * SIZE * SIZE + 2000);
  const [name = ''] = await readdir(join(cache('small'), 'weights'));
  const text = (await readFile(join(cache('small'), 'weights', name))).toString('latin1');
  expect(text).toContain('first.weight');
  expect(text).not.toContain('second.weight');
});

test('the other weights are those of the converted base', async () => {
  const convertedDir = cache('int8');
  await outputs({ dtype: 'int8', convertedDir });
  const before = await readdir(join(convertedDir, 'weights'));
  await outputs({ dtype: 'int8', convertedDir, adapters: await adapter(lora('second')) });
  const after = await readdir(join(convertedDir, 'weights'));
  expect(before).toHaveLength(1);
  expect(after).toHaveLength(2);
  expect(after).toContain(before[0]);
});

test('the cache is keyed by the content of the adapter', async () => {
  const adapters = await adapter(lora('first'));
  const first = await outputs({ adapters });
  const copy = join(scratch, 'copy');
  await cp(adapters, copy, { recursive: true });
  expect(await outputs({ adapters: copy })).toEqual(first);
  // The same file names with other values, and then with another scaling.
  const other = await adapter({ ...lora('first'), 'first.lora_B.weight': { dims: [SIZE, 2], fill: -0.25 } });
  await cp(join(other, 'adapter_model.safetensors'), join(copy, 'adapter_model.safetensors'));
  const second = await outputs({ adapters: copy });
  expect(second).not.toEqual(first);
  const options = JSON.parse(await readFile(join(copy, 'adapter_config.json'), 'utf8')) as object;
  await writeFile(join(copy, 'adapter_config.json'), JSON.stringify({ ...options, lora_alpha: 5 }));
  expect(await outputs({ adapters: copy })).not.toEqual(second);
});

test('saving merges, in the types of the base', async () => {
  const adapters = [
    await adapter(lora('first')),
    await adapter({ ...lora('second', 3), 'first.bias': [SIZE] }, { r: 3, bias: 'all', use_rslora: true }),
  ];
  await using layers = await Layers.fromPretrained(base, { adapters, convertedDir: cache('cache'), threads: 1 });
  const saved = join(scratch, 'saved');
  await layers.savePretrained(saved);
  expect(await outputs({}, saved)).toEqual((await layers.apply()).data);
  const [before, after] = [await openCheckpoint(base), await openCheckpoint(saved)];
  expect([...after.tensors].map(([name, { dtype }]) => [name, dtype])).toEqual(
    [...before.tensors].map(([name, { dtype }]) => [name, dtype]),
  );
  const [old, merged] = [before.tensors.get('second.weight'), after.tensors.get('second.weight')];
  if (!old || !merged) return expect.fail('no weight');
  const [was, is] = [(await readTensor(old)).data, (await readTensor(merged)).data];
  // Scaling 4 / √3, of three products 0.5 · 0.5.
  is.forEach((value, at) => expect(value - (was[at] ?? 0)).toBeCloseTo(3 * 0.25 * (4 / Math.sqrt(3)), 4));
});

test.each([
  ['a module that the base lacks', lora('third'), { target_modules: ['third'] }, 'MISSING_WEIGHT', 'third'],
  [
    'an adapter of a wider base',
    { 'first.lora_A.weight': [2, 64], 'first.lora_B.weight': [SIZE, 2] },
    {},
    'SHAPE_MISMATCH',
    'base_model.model.first.lora_A.weight',
  ],
  ['a saved tensor of another shape', { 'first.bias': [3] }, {}, 'SHAPE_MISMATCH', 'first.bias'],
  [
    'not a number',
    { ...lora('first'), 'first.lora_A.weight': { dims: [2, SIZE], fill: NaN } },
    {},
    'INVALID_CHECKPOINT',
    'base_model.model.first.lora_A.weight',
  ],
  ['infinity', { 'first.bias': { dims: [SIZE], fill: Infinity } }, {}, 'INVALID_CHECKPOINT', 'first.bias'],
  ['a part of another model', lora('vision_model.x'), { target_modules: ['x'] }, 'INVALID_ARGUMENT', undefined],
] as const)('%s is refused', async (_, tensors, options, code, subject) => {
  for (const dtype of ['fp32', 'q8'])
    await expect(outputs({ adapters: await adapter(tensors, options), dtype })).rejects.toMatchObject({
      code,
      details: subject === undefined ? {} : { subject },
    });
});

test('two adapters may not replace the same tensor', async () => {
  const adapters = [await adapter({ 'first.bias': [SIZE] }), await adapter({ 'first.bias': [SIZE] })];
  await expect(outputs({ adapters })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { subject: 'first.bias', argument: 'adapters' },
  });
});

test.each([[5], [['']], [{ a: 'b' }], [[null]]])('adapters: %j is refused', async (adapters) => {
  await expect(outputs({ adapters })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { argument: 'adapters' },
  });
});

test('links that lead out of the folder of the adapter are not followed', async () => {
  const adapters = await adapter(lora('first'));
  const weights = join(adapters, 'adapter_model.safetensors');
  await cp(weights, join(scratch, 'elsewhere.safetensors'));
  await rm(weights);
  await symlink(join(scratch, 'elsewhere.safetensors'), weights);
  await expect(outputs({ adapters })).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
});

test('a folder that holds only an adapter stands for its base', async () => {
  const named = await adapter(lora('first'), { base_model_name_or_path: base });
  expect(await outputs({}, named)).toEqual(await outputs({ adapters: named }));
});

test.each([
  ['no base', {}, 'MISSING_FILE'],
  ['a folder that does not exist', { base_model_name_or_path: '/no/such/folder' }, 'MISSING_FILE'],
  ['a relative folder that does not exist', { base_model_name_or_path: '../base' }, 'MISSING_FILE'],
])('the base of an adapter: %s', async (_, options, code) => {
  await expect(outputs({}, await adapter(lora('first'), options))).rejects.toMatchObject({ code });
});

test('an adapter in the cache of the Hub cannot name a folder of this machine', async () => {
  const named = await adapter(lora('first'), { base_model_name_or_path: base });
  const snapshot = join(scratch, 'models--a--b', 'snapshots', 'c');
  await cp(named, snapshot, { recursive: true });
  await expect(outputs({}, snapshot)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
});

test('the base of an adapter may not be an adapter', async () => {
  const first = await adapter(lora('first'), { base_model_name_or_path: base });
  const second = await adapter(lora('first'), { base_model_name_or_path: first });
  await expect(outputs({}, second)).rejects.toThrow(/is an adapter too/);
});
