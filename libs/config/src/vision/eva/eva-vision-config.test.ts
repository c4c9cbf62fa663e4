import { expect, test } from 'vitest';

import { VisionConfig } from '../vision-families.ts';
import { EvaVisionConfig } from './eva-vision-config.ts';

const timm = {
  architecture: 'eva_giant_patch14_224',
  num_classes: 1000,
  global_pool: 'avg',
  pretrained_cfg: { input_size: [3, 224, 224], mean: [0.5, 0.5, 0.5], num_classes: 1000 },
};

test('sizes are those of the architecture, which the file changes', () => {
  expect(EvaVisionConfig.fromJson(timm)).toMatchObject({
    modelType: 'eva',
    hiddenSize: 1408,
    intermediateSize: 6144,
    numHiddenLayers: 40,
    numAttentionHeads: 16,
    imageSize: 224,
    patchSize: 14,
    globalPool: 'avg',
    hasPoolNorm: true,
    hasFinalNorm: false,
  });
  const changed = EvaVisionConfig.fromJson({
    ...timm,
    architecture: 'eva_giant_patch14_336',
    model_args: { img_size: [280, 280], depth: 2, global_pool: 'token', drop_path_rate: 0.1 },
  });
  expect(changed).toMatchObject({ imageSize: 280, numHiddenLayers: 2, hasPoolNorm: false, hasFinalNorm: true });
});

test('the image size is that of the images that the model was trained with', () => {
  const pretrained = { ...timm.pretrained_cfg, input_size: [3, 196, 196] };
  expect(EvaVisionConfig.fromJson({ ...timm, pretrained_cfg: pretrained }).imageSize).toBe(196);
  expect(EvaVisionConfig.fromJson({ architecture: 'eva_giant_patch14_560' }).imageSize).toBe(560);
});

test('the encoder of a model of open_clip has the pooling of its configuration', () => {
  const json = {
    model_cfg: { embed_dim: 1024, vision_cfg: { timm_model_name: 'eva_giant_patch14_224', timm_pool: 'token' } },
  };
  expect(EvaVisionConfig.fromJson(json)).toMatchObject({ globalPool: 'token', hasFinalNorm: true, imageSize: 224 });
});

test('a written configuration is one of timm, and reads as the same', () => {
  const config = EvaVisionConfig.create({
    hiddenSize: 32,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    mlpRatio: 2,
    imageSize: 28,
  });
  const written = EvaVisionConfig.toJson(config);
  expect(written).toMatchObject({
    architecture: 'eva_giant_patch14_clip_224',
    num_classes: 0,
    model_args: { embed_dim: 32, depth: 2, num_heads: 4, mlp_ratio: 2, img_size: 28 },
    pretrained_cfg: { input_size: [3, 28, 28], crop_pct: 0.9 },
  });
  const { json: _, ...again } = EvaVisionConfig.fromJson(written);
  const { json: __, ...before } = config;
  expect(again).toEqual(before);
  const read = EvaVisionConfig.fromJson({ ...timm, label_names: ['cat'] });
  expect(EvaVisionConfig.toJson(read)).toMatchObject({ ...timm, label_names: ['cat'] });
  expect(EvaVisionConfig.create({ ...read, hiddenSize: 64 }).hiddenSize).toBe(64);
});

test.each([
  ['EVA-02', { architecture: 'eva02_base_patch16_clip_224' }, 'eva02_base_patch16_clip_224'],
  ['another model of timm', { architecture: 'resnet50' }, 'resnet50'],
  ['a model of open_clip itself', { model_cfg: { vision_cfg: { layers: 12, width: 768 } } }, 'open_clip'],
  ['rotary positions', { ...timm, model_args: { use_rot_pos_emb: true } }, 'use_rot_pos_emb'],
  ['registers', { ...timm, model_args: { num_reg_tokens: 4 } }, 'num_reg_tokens'],
  ['an unknown argument', { ...timm, model_args: { no_such_argument: 1 } }, 'no_such_argument'],
])('refuses %s by name', (_, json, name) => {
  expect(() => VisionConfig.fromJson(json)).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE', message: expect.stringContaining(name) as string }),
  );
});

test.each([
  ['sides of different lengths', { ...timm, model_args: { img_size: [224, 196] } }],
  ['arguments that are no object', { ...timm, model_args: [1] }],
  ['a pooling that does not exist', { ...timm, model_args: { global_pool: 'map' } }],
  ['a ratio below 0', { ...timm, model_args: { mlp_ratio: -1 } }],
  ['no width at all', { ...timm, model_args: { mlp_ratio: 1e-9 } }],
  ['a width without limit', { ...timm, model_args: { mlp_ratio: 1e300 } }],
  ['heads that do not divide the width', { ...timm, model_args: { num_heads: 7 } }],
])('refuses %s', (_, json) => {
  expect(() => EvaVisionConfig.fromJson(json)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
});
