import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { readTensor } from '../safetensors/read-tensor.ts';
import { tensorSource } from '../safetensors/tensor-source.ts';
import { writeSafetensors } from '../safetensors/write-safetensors.ts';
import { openModelWeights } from './model-weights.ts';
import { checkpointOrigin, lavisNameMap } from './parameter-names.ts';

const temporaryBefore = process.env['TMPDIR'];
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'blip2-names-'));
  process.env['TMPDIR'] = root;
});
afterAll(async () => {
  if (temporaryBefore === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = temporaryBefore;
  await rm(root, { recursive: true });
});

const leftovers = async (): Promise<string[]> => (await readdir(root)).filter((name) => name.startsWith('blip2-lavis'));

/** Creates a model folder with vectors of the given names and values. */
async function folderOf(tensors: Readonly<Record<string, readonly number[]>>): Promise<string> {
  const folder = await mkdtemp(join(root, 'model-'));
  const sources = Object.entries(tensors).map(([name, values]) =>
    tensorSource(name, { type: 'float32', dims: [values.length], data: Float32Array.from(values) }),
  );
  await writeSafetensors(join(folder, 'model.safetensors'), sources);
  return folder;
}

describe('LAVIS parameter names', () => {
  const pairs: [lavis: string, huggingFace: string][] = [
    ['visual_encoder.cls_token', 'vision_model.embeddings.class_embedding'],
    ['visual_encoder.pos_embed', 'vision_model.embeddings.position_embedding'],
    ['visual_encoder.patch_embed.proj.weight', 'vision_model.embeddings.patch_embedding.weight'],
    ['visual_encoder.blocks.38.norm2.bias', 'vision_model.encoder.layers.38.layer_norm2.bias'],
    ['visual_encoder.blocks.0.attn.qkv.weight', 'vision_model.encoder.layers.0.self_attn.qkv.weight'],
    ['visual_encoder.blocks.0.attn.proj.bias', 'vision_model.encoder.layers.0.self_attn.projection.bias'],
    ['visual_encoder.blocks.11.mlp.fc1.weight', 'vision_model.encoder.layers.11.mlp.fc1.weight'],
    ['ln_vision.weight', 'vision_model.post_layernorm.weight'],
    ['query_tokens', 'query_tokens'],
    ['Qformer.bert.embeddings.LayerNorm.weight', 'qformer.layernorm.weight'],
    ['Qformer.bert.embeddings.word_embeddings.weight', 'embeddings.word_embeddings.weight'],
    [
      'Qformer.bert.encoder.layer.2.attention.self.query.weight',
      'qformer.encoder.layer.2.attention.attention.query.weight',
    ],
    [
      'Qformer.bert.encoder.layer.2.attention.output.LayerNorm.bias',
      'qformer.encoder.layer.2.attention.output.LayerNorm.bias',
    ],
    [
      'Qformer.bert.encoder.layer.10.crossattention.self.value.bias',
      'qformer.encoder.layer.10.crossattention.attention.value.bias',
    ],
    [
      'Qformer.bert.encoder.layer.10.crossattention.output.dense.weight',
      'qformer.encoder.layer.10.crossattention.output.dense.weight',
    ],
    ['Qformer.bert.encoder.layer.1.intermediate.dense.weight', 'qformer.encoder.layer.1.intermediate.dense.weight'],
    [
      'Qformer.bert.encoder.layer.1.intermediate_query.dense.weight',
      'qformer.encoder.layer.1.intermediate_query.dense.weight',
    ],
    [
      'Qformer.bert.encoder.layer.1.output_query.LayerNorm.weight',
      'qformer.encoder.layer.1.output_query.LayerNorm.weight',
    ],
    ['vision_proj.weight', 'vision_projection.weight'],
    ['text_proj.bias', 'text_projection.bias'],
    ['itm_head.weight', 'itm_head.weight'],
    ['temp', 'temp'],
    ['Qformer.cls.predictions.bias', 'Qformer.cls.predictions.bias'],
  ];
  test.each(pairs)('%s becomes %s', (lavis, huggingFace) => {
    expect(lavisNameMap(pairs.map(([name]) => name))(lavis)).toBe(huggingFace);
  });

  test.each([
    ['opt_proj.weight', 'language_projection.weight'],
    ['t5_proj.bias', 'language_projection.bias'],
    ['opt_model.model.decoder.embed_tokens.weight', 'language_model.model.decoder.embed_tokens.weight'],
  ])('%s becomes %s', (lavis, huggingFace) => {
    expect(lavisNameMap([lavis])(lavis)).toBe(huggingFace);
  });

  test("of a Q-Former with token embeddings and a language model are InstructBLIP's", () => {
    const map = lavisNameMap(['Qformer.bert.embeddings.word_embeddings.weight', 'llm_proj.weight']);
    expect(map('Qformer.bert.embeddings.word_embeddings.weight')).toBe('qformer.embeddings.word_embeddings.weight');
    expect(map('Qformer.bert.embeddings.LayerNorm.bias')).toBe('qformer.embeddings.layernorm.bias');
    expect(map('llm_proj.weight')).toBe('language_projection.weight');
  });

  test('are distinguished from Hugging Face names', () => {
    expect(checkpointOrigin(['query_tokens', 'qformer.layernorm.weight', 'vision_model.post_layernorm.bias'])).toBe(
      'huggingface',
    );
    expect(checkpointOrigin(['query_tokens', 'ln_vision.weight'])).toBe('lavis');
  });
});

describe('openModelWeights', () => {
  test('joins query and value biases with zeros between them, and deletes the file when disposed', async () => {
    const folder = await folderOf({
      'visual_encoder.blocks.3.attn.q_bias': [1, 2],
      'visual_encoder.blocks.3.attn.v_bias': [5, 6],
      'ln_vision.weight': [7],
    });
    const weights = await openModelWeights(folder);
    expect([...weights.tensors.keys()].sort()).toEqual([
      'vision_model.encoder.layers.3.self_attn.qkv.bias',
      'vision_model.post_layernorm.weight',
    ]);
    const bias = weights.tensors.get('vision_model.encoder.layers.3.self_attn.qkv.bias');
    expect(bias && [...(await readTensor(bias)).data]).toEqual([1, 2, 0, 0, 5, 6]);
    const norm = weights.tensors.get('vision_model.post_layernorm.weight');
    expect(norm && [...(await readTensor(norm)).data]).toEqual([7]);
    for (const { file } of weights.tensors.values()) expect(file.startsWith(weights.folder)).toBe(true);
    expect(weights.origin).toBe('lavis');
    expect(await leftovers()).toHaveLength(1);
    await weights[Symbol.asyncDispose]();
    expect(await leftovers()).toEqual([]);
  });

  test('does not join a bias whose other half is missing', async () => {
    await using weights = await openModelWeights(
      await folderOf({ 'visual_encoder.blocks.0.attn.q_bias': [1], 'ln_vision.weight': [7] }),
    );
    expect([...weights.tensors.keys()].sort()).toEqual([
      'vision_model.post_layernorm.weight',
      'visual_encoder.blocks.0.attn.q_bias',
    ]);
  });

  test('joins no bias that is not needed', async () => {
    const folder = await folderOf({
      'visual_encoder.blocks.0.attn.q_bias': [1],
      'visual_encoder.blocks.0.attn.v_bias': [2],
      'Qformer.bert.embeddings.LayerNorm.weight': [3],
    });
    await using weights = await openModelWeights(folder, (name) => name.startsWith('qformer.'));
    expect(weights.tensors.has('qformer.layernorm.weight')).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  test('keeps Hugging Face names', async () => {
    await using weights = await openModelWeights(
      await folderOf({ 'vision_model.post_layernorm.weight': [1], other: [2] }),
    );
    expect(weights.origin).toBe('huggingface');
    expect([...weights.tensors.keys()].sort()).toEqual(['other', 'vision_model.post_layernorm.weight']);
  });
});

describe('weights saved out of a wrapper', () => {
  test.each([
    ['module.', ['module.query_tokens', 'module.qformer.layernorm.weight']],
    ['module._orig_mod.', ['module._orig_mod.model.decoder.layers.0.fc1.weight']],
    ['base_model.model.', ['base_model.model.query_tokens']],
    ['model.blip2.', ['model.blip2.vision_model.post_layernorm.weight', 'model.blip2.query_tokens']],
  ])('are refused with the prefix %s of all names', async (prefix, names) => {
    const folder = await folderOf(Object.fromEntries(names.map((name) => [name, [1]])));
    await expect(openModelWeights(folder)).rejects.toMatchObject({
      code: 'MISSING_WEIGHT',
      message: expect.stringContaining(`The names of all ${names.length} tensors begin with ${prefix}`),
      details: { subject: prefix, fix: expect.stringContaining('the model inside it') },
    });
  });
  test('that contain an adapter have to be merged', async () => {
    const folder = await folderOf({ 'base_model.model.language_model.q_proj.lora_A.default.weight': [1] });
    await expect(openModelWeights(folder)).rejects.toMatchObject({
      details: { fix: expect.stringContaining('merge_and_unload') },
    });
  });
  test.each([['model.decoder.layers.0.fc1.weight'], ['query_tokens'], ['vision_model.post_layernorm.weight']])(
    'are not those of a part: %s',
    async (name) => {
      await using weights = await openModelWeights(await folderOf({ [name]: [1] }));
      expect([...weights.tensors.keys()]).toEqual([name]);
    },
  );
});
