import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

import { type TinyTensor, writeAdapter } from './fixtures/adapter-folder.ts';
import { type Adapter, readAdapter } from './read-adapter.ts';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

const LAYER: Readonly<Record<string, TinyTensor>> = {
  'a.layer.lora_A.weight': [2, 4],
  'a.layer.lora_B.weight': [3, 2],
};

async function read(config: object, tensors: Readonly<Record<string, TinyTensor>> = LAYER): Promise<Adapter> {
  const folder = await writeAdapter({ ...config }, tensors);
  folders.push(folder);
  return readAdapter(folder);
}

test.each([
  [{}, 2],
  [{ use_rslora: true }, 4 / Math.sqrt(2)],
  [{ alpha_pattern: { layer: 6 } }, 3],
  [{ alpha_pattern: { ayer: 6 } }, 2],
  [{ alpha_pattern: { 'x.layer': 6, '.*': 10, 'a.layer': 12 } }, 5],
  [{ lora_alpha: 5.5 }, 2.75],
  [{ r: 8, rank_pattern: { '^a.layer': 2 } }, 2],
  [{ r: 8, rank_pattern: { layer: 2 }, alpha_pattern: { 'a\\..*': 3 }, use_rslora: true }, 3 / Math.sqrt(2)],
  [{ target_modules: 'all-linear' }, 2],
  [{ target_modules: '.*layer', exclude_modules: ['b.layer'] }, 2],
  [{ target_modules: null, init_lora_weights: 'gaussian', fan_in_fan_out: true, lora_dropout: 0.1 }, 2],
])('%j: the scaling is %d', async (config, scaling) => {
  const { modules } = await read(config);
  expect(modules.map(({ module, kind, rank }) => [module, kind, rank])).toEqual([['a.layer', 'linear', 2]]);
  expect(modules[0]?.scaling).toBeCloseTo(scaling, 10);
});

test.each([
  ['list', { layers_to_transform: [1] }, 'model.layers.1.layer', true],
  ['another layer', { layers_to_transform: [0] }, 'model.layers.1.layer', false],
  ['one number', { layers_to_transform: 1 }, 'model.layers.1.layer', true],
  ['the first number counts', { layers_to_transform: [1] }, 'model.layers.1.experts.0.layer', true],
  ['pattern', { layers_to_transform: [0], layers_pattern: 'experts' }, 'model.layers.1.experts.0.layer', true],
  ['patterns', { layers_to_transform: [2], layers_pattern: ['h', 'blocks?'] }, 'x.block.2.layer', true],
  ['no number', { layers_to_transform: [0] }, 'head.layer', false],
  ['empty list', { layers_to_transform: [] }, 'head.layer', true],
])('layers_to_transform: %s', async (_, config, module, isTarget) => {
  const reading = read(config, { [`${module}.lora_A.weight`]: [2, 4], [`${module}.lora_B.weight`]: [3, 2] });
  if (isTarget) await expect(reading).resolves.toBeDefined();
  else await expect(reading).rejects.toMatchObject({ code: 'INVALID_CHECKPOINT' });
});

test.each([
  ['IA3', { peft_type: 'IA3' }, 'peft_type'],
  ['prefix tuning', { peft_type: 'PREFIX_TUNING' }, 'peft_type'],
  ['no type', { peft_type: null }, 'peft_type'],
  ['PiSSA', { init_lora_weights: 'pissa_niter_4' }, 'init_lora_weights'],
  ['OLoRA', { init_lora_weights: 'olora' }, 'init_lora_weights'],
  ['LoftQ', { init_lora_weights: 'loftq' }, 'init_lora_weights'],
  ['another bias', { bias: 'some' }, 'bias'],
  ['lora_bias with DoRA', { lora_bias: true, use_dora: true }, 'lora_bias'],
  ['tokens', { trainable_token_indices: [1, 2] }, 'trainable_token_indices'],
  ['parameters', { target_parameters: ['experts.weight'] }, 'target_parameters'],
  ['repeated layers', { layer_replication: [[0, 2]] }, 'layer_replication'],
  ['Megatron', { megatron_config: { a: 1 } }, 'megatron_config'],
  ['QALoRA', { use_qalora: true }, 'use_qalora'],
  ['aLoRA', { alora_invocation_tokens: [5] }, 'alora_invocation_tokens'],
  ['an option of the future', { use_magic: 3 }, 'use_magic'],
])('%s is refused by name', async (_, config, option) => {
  await expect(read(config)).rejects.toMatchObject({
    code: 'UNSUPPORTED_ARCHITECTURE',
    message: expect.stringContaining(option) as string,
    details: { subject: option },
  });
});

test.each([
  [{ r: 0 }, 'r'],
  [{ r: '8' }, 'r'],
  [{ lora_alpha: 'x' }, 'lora_alpha'],
  [{ use_rslora: 1 }, 'use_rslora'],
  [{ target_modules: [1] }, 'target_modules'],
  [{ rank_pattern: [2] }, 'rank_pattern'],
  [{ rank_pattern: { a: 1.5 } }, 'rank_pattern'],
  [{ alpha_pattern: { a: null } }, 'alpha_pattern'],
  [{ layers_to_transform: ['0'] }, 'layers_to_transform'],
  [{ base_model_name_or_path: 5 }, 'base_model_name_or_path'],
  [{ target_modules: '(a)\\1' }, undefined],
])('%j is invalid', async (config, argument) => {
  await expect(read(config)).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    details: argument === undefined ? {} : { argument },
  });
});

test.each([
  ['another rank', {}, { ...LAYER, 'a.layer.lora_A.weight': [3, 4] }, 'SHAPE_MISMATCH', 'a.layer'],
  ['another rank of B', {}, { ...LAYER, 'a.layer.lora_B.weight': [3, 1] }, 'SHAPE_MISMATCH', 'a.layer'],
  ['no B', {}, { 'a.layer.lora_A.weight': [2, 4] }, 'INVALID_CHECKPOINT', 'a.layer'],
  ['excluded', { exclude_modules: '.*yer' }, LAYER, 'INVALID_CHECKPOINT', 'base_model.model.a.layer.lora_A.weight'],
  ['not a target', { target_modules: ['x'] }, LAYER, 'INVALID_CHECKPOINT', 'base_model.model.a.layer.lora_A.weight'],
  ['unknown', {}, { ...LAYER, 'a.layer.lora_C': [1] }, 'INVALID_CHECKPOINT', 'base_model.model.a.layer.lora_C'],
  ['adapter name', {}, { 'a.layer.lora_A.default.weight': [2, 4] }, 'INVALID_CHECKPOINT', undefined],
  ['no magnitude', { use_dora: true }, LAYER, 'INVALID_CHECKPOINT', 'a.layer'],
  ['a magnitude', {}, { ...LAYER, 'a.layer.lora_magnitude_vector': [3] }, 'INVALID_CHECKPOINT', 'a.layer'],
  ['not saved', { modules_to_save: ['head'] }, LAYER, 'INVALID_CHECKPOINT', 'head'],
  ['nothing', {}, {}, 'INVALID_CHECKPOINT', undefined],
] as const)('tensors: %s', async (_, config, tensors, code, subject) => {
  await expect(read(config, tensors)).rejects.toMatchObject({
    code,
    details: subject === undefined ? {} : { subject },
  });
});

test('names have to start as PEFT writes them', async () => {
  const folder = await writeAdapter({}, LAYER, '');
  folders.push(folder);
  await expect(readAdapter(folder)).rejects.toMatchObject({ details: { subject: 'a.layer.lora_A.weight' } });
});

test('modules_to_save, base layers and biases replace tensors of the base', async () => {
  const { replaced, modules } = await read(
    { modules_to_save: ['norm'], bias: 'all' },
    { ...LAYER, 'b.norm.weight': [4], 'a.layer.base_layer.bias': [3], 'c.bias': [1] },
  );
  expect(modules).toHaveLength(1);
  expect(replaced.map(({ name, isCopy }) => [name, isCopy])).toEqual([
    ['b.norm.weight', true],
    ['a.layer.bias', false],
    ['c.bias', false],
  ]);
});

test('files: missing weights, pickled weights, broken and deeply nested JSON', async () => {
  const folder = await writeAdapter({}, LAYER);
  folders.push(folder);
  await rm(join(folder, 'adapter_model.safetensors'));
  await expect(readAdapter(folder)).rejects.toMatchObject({ code: 'MISSING_FILE' });
  await writeFile(join(folder, 'adapter_model.bin'), '');
  await expect(readAdapter(folder)).rejects.toThrow(/pickled/);
  for (const text of ['{"peft_type":', '[]', `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`]) {
    await writeFile(join(folder, 'adapter_config.json'), text);
    await expect(readAdapter(folder)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  }
  await rm(join(folder, 'adapter_config.json'));
  await expect(readAdapter(folder)).rejects.toMatchObject({ code: 'MISSING_FILE' });
});
