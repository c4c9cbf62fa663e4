import { describe, expect, test } from 'vitest';

import { Dinov2Config } from './dinov2-config.ts';
import { SiglipVisionConfig } from './siglip-vision-config.ts';
import { VitConfig } from './vit-config.ts';

/** The defaults that SigLIP, DINOv2 and ViT share. */
const SHARED = {
  hiddenSize: 768,
  intermediateSize: 3072,
  numHiddenLayers: 12,
  numAttentionHeads: 12,
  numChannels: 3,
  imageSize: 224,
  attentionDropout: 0,
  outputHiddenStates: false,
  outputAttentions: false,
  json: {},
};

describe('an empty file has the defaults of HF', () => {
  test('SigLIP', () => {
    expect(SiglipVisionConfig.fromJson({})).toEqual({
      ...SHARED,
      modelType: 'siglip_vision_model',
      patchSize: 16,
      hiddenAct: 'gelu_pytorch_tanh',
      layerNormEps: 1e-6,
      visionUseHead: true,
    });
  });

  test('DINOv2', () => {
    expect(Dinov2Config.fromJson({})).toEqual({
      ...SHARED,
      modelType: 'dinov2',
      patchSize: 14,
      hiddenAct: 'gelu',
      layerNormEps: 1e-6,
      mlpRatio: 4,
      useSwigluFfn: false,
      qkvBias: true,
      layerscaleValue: 1,
      initializerRange: 0.02,
    });
  });

  test('ViT', () => {
    expect(VitConfig.fromJson({})).toEqual({
      ...SHARED,
      modelType: 'vit',
      patchSize: 16,
      hiddenAct: 'gelu',
      layerNormEps: 1e-12,
      qkvBias: true,
      poolerAct: 'tanh',
      poolerOutputSize: 768,
      initializerRange: 0.02,
    });
  });
});

describe('DINOv2', () => {
  test.each([
    // The size giant: two thirds of 6144.
    [{ hidden_size: 1536, num_attention_heads: 24, use_swiglu_ffn: true }, 4096],
    // Two thirds of 72 are 48; of 80 they are 53, rounded up to 56.
    [{ hidden_size: 24, mlp_ratio: 3, use_swiglu_ffn: true }, 48],
    [{ hidden_size: 20, num_attention_heads: 4, use_swiglu_ffn: true }, 56],
    [{ hidden_size: 20, num_attention_heads: 4, mlp_ratio: 2.3 }, 46],
  ])('the feed-forward of %j is %i wide', (json, width) => {
    expect(Dinov2Config.fromJson({ num_attention_heads: 12, ...json }).intermediateSize).toBe(width);
  });

  test('the width follows the size, and is not stored', () => {
    const config = Dinov2Config.create({ hiddenSize: 48 });
    expect(config.intermediateSize).toBe(192);
    expect(Dinov2Config.toJson(config)).toEqual({ model_type: 'dinov2', hidden_size: 48 });
  });
});

describe('ViT', () => {
  test('the pooler is as wide as the encoder unless its width is stored', () => {
    expect(VitConfig.create({ hiddenSize: 48 }).poolerOutputSize).toBe(48);
    expect(VitConfig.fromJson({ hidden_size: 48, pooler_output_size: 20 }).poolerOutputSize).toBe(20);
    expect(VitConfig.fromJson({ hidden_size: 48, pooler_output_size: null }).poolerOutputSize).toBe(48);
    expect(VitConfig.toJson(VitConfig.create({ hiddenSize: 48 }))).toEqual({ model_type: 'vit', hidden_size: 48 });
  });
});

describe.each([
  ['SigLIP', SiglipVisionConfig],
  ['DINOv2', Dinov2Config],
  ['ViT', VitConfig],
])('%s', (_, format) => {
  test.each([
    ['hidden_size', { hidden_size: 10, num_attention_heads: 3 }],
    ['image_size', { image_size: 8, patch_size: 16 }],
    ['image_size', { image_size: [224, 224] }],
    ['hidden_act', { hidden_act: 'softgelu' }],
    ['num_channels', { num_channels: 1e6 }],
  ])('rejects an invalid %s', (name, json) => {
    expect(() => format.fromJson(json)).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining(name) as string }),
    );
  });

  test('rejects another model, and a full model that does not contain it', () => {
    for (const json of [{ model_type: 'clip_vision_model' }, { model_type: 'blip-2', vision_config: {} }])
      expect(() => format.fromJson(json)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE' }));
  });
});
