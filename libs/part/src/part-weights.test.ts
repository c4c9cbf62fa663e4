import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, readTensor, tensorSource } from '@blip2/checkpoint';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openPartWeights, partWeights } from './part-weights.ts';
import { createRandomPartWeights, transformerInitializer } from './random-weights.ts';
import { savePartWeights, torchDtype } from './save-part.ts';

const folder = join(import.meta.dirname, '../../../tools/parity/cases/opt/checkpoint');
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-part-'));
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

test('finds a part below its path in a full model, and at the root of its own checkpoint', async () => {
  expect((await openPartWeights(folder, 'vision_model')).prefix).toBe('vision_model');
  expect(partWeights(await openCheckpoint(folder), 'vision').prefix).toBe('');
});

test('saves a part alone, with names from its root and additional tensors', async () => {
  const target = join(scratch, 'qformer');
  const part = await openPartWeights(folder, 'qformer');
  const beside = tensorSource('query_tokens', { type: 'float32', dims: [1, 1, 2], data: Float32Array.of(1, 2) });
  expect(await savePartWeights(target, part, {}, [beside])).toBe('float32');
  const saved = await openPartWeights(target, 'qformer');
  const inner = [...part.store.tensors.keys()]
    .filter((name) => name.startsWith('qformer.'))
    .map((name) => name.slice('qformer.'.length));
  expect(saved.prefix).toBe('');
  expect([...saved.store.tensors.keys()].toSorted()).toEqual([...inner, 'query_tokens'].toSorted());
  expect(await savePartWeights(join(scratch, 'again'), saved, { dtype: 'float16' }, [beside])).toBe('float16');
});

test('creates random weights by name and shape, which are removed with their folder', async () => {
  const weights = await createRandomPartWeights(
    [
      { name: 'a.weight', shape: [2] },
      { name: 'layer_norm.weight', shape: [2] },
    ],
    transformerInitializer(1),
    { seed: 3, folder: scratch },
  );
  const { store, prefix } = weights;
  const norm = store.tensors.get('layer_norm.weight');
  expect([prefix, norm && [...(await readTensor(norm)).data]]).toEqual(['', [1, 1]]);
  await weights[Symbol.asyncDispose]();
  expect(existsSync(store.folder)).toBe(false);
});

test.each([
  ['encoder.layers.0.layer_norm1.weight', 'ones'],
  ['encoder.layer.0.output.LayerNorm.weight', 'ones'],
  ['layernorm.weight', 'ones'],
  ['post_layernorm.bias', 'zeros'],
  ['mlp.fc1.bias', 'zeros'],
  ['mlp.fc1.weight', 'normal'],
  ['embeddings.class_embedding', 'normal'],
])('initializes %s with %s', (name, kind) => {
  expect(transformerInitializer(0.02)(name, [1])).toEqual(kind === 'normal' ? { kind, std: 0.02 } : { kind });
});

test('torch_dtype is the type of the first float tensor', () => {
  expect(torchDtype([{ dtype: 'I64' }, { dtype: 'BF16' }, { dtype: 'F32' }])).toBe('bfloat16');
  expect(torchDtype([])).toBe('float32');
});
