import { describe, expect, test } from 'vitest';

import { ClipVisionConfig } from './clip-vision-config.ts';

describe('ClipVisionConfig', () => {
  test('an empty file has the defaults of HF', () => {
    expect(ClipVisionConfig.fromJson({})).toEqual({
      modelType: 'clip_vision_model',
      hiddenSize: 768,
      intermediateSize: 3072,
      projectionDim: 512,
      numHiddenLayers: 12,
      numAttentionHeads: 12,
      numChannels: 3,
      imageSize: 224,
      patchSize: 32,
      hiddenAct: 'quick_gelu',
      layerNormEps: 1e-5,
      attentionDropout: 0,
      initializerRange: 0.02,
      initializerFactor: 1,
      outputHiddenStates: false,
      outputAttentions: false,
      json: {},
    });
  });

  test('reads the vision_config of a full CLIP configuration', () => {
    const whole = {
      model_type: 'clip',
      text_config: { hidden_size: 5 },
      vision_config: { hidden_size: 1024, num_attention_heads: 16, patch_size: 14, projection_dim: 768 },
    };
    expect(ClipVisionConfig.fromJson(whole)).toMatchObject({
      hiddenSize: 1024,
      numAttentionHeads: 16,
      patchSize: 14,
      projectionDim: 768,
      imageSize: 224,
    });
    expect(ClipVisionConfig.fromJson({ model_type: 'clip' }).hiddenSize).toBe(768);
  });

  test('round trip, with unknown fields', () => {
    const json = { model_type: 'clip_vision_model', hidden_size: 64, num_attention_heads: 4, torch_dtype: 'float16' };
    expect(ClipVisionConfig.toJson(ClipVisionConfig.fromJson(json))).toEqual(json);
    expect(ClipVisionConfig.toJson(ClipVisionConfig.create(), { full: true })).toMatchObject({
      model_type: 'clip_vision_model',
      hidden_act: 'quick_gelu',
      num_channels: 3,
    });
    expect(ClipVisionConfig.toJson(ClipVisionConfig.create({ imageSize: 336 }))).toEqual({
      model_type: 'clip_vision_model',
      image_size: 336,
    });
  });

  test.each([
    ['hidden_size', { hidden_size: 0 }],
    ['hidden_size', { hidden_size: 10, num_attention_heads: 3 }],
    ['image_size', { image_size: 16, patch_size: 32 }],
    ['image_size', { image_size: [224, 224] }],
    ['hidden_act', { hidden_act: 'softgelu' }],
    ['layer_norm_eps', { layer_norm_eps: '1e-5' }],
    ['num_channels', { num_channels: 1e6 }],
  ])('rejects an invalid %s', (name, json) => {
    expect(() => ClipVisionConfig.fromJson(json)).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining(name) as string }),
    );
  });

  test.each([
    { model_type: 'blip-2', vision_config: {} },
    { model_type: 'siglip_vision_model' },
    { model_type: 'clip', vision_config: { model_type: 'clip_text_model' } },
  ])('rejects another model: %j', (json) => {
    expect(() => ClipVisionConfig.fromJson(json)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE' }),
    );
  });

  test('rejects overrides that are not fields', () => {
    expect(() => ClipVisionConfig.create({ width: 3 } as never)).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_OPTION' }),
    );
  });
});
