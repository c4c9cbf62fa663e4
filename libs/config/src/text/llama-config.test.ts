import { describe, expect, test } from 'vitest';

import { LlamaConfig } from './llama-config.ts';
import { defineRotaryDecoderConfig, ROTARY_DEFAULTS, type RotaryDecoderConfig } from './rotary-decoder-config.ts';
import { TextConfig } from './text-config.ts';

describe('LlamaConfig', () => {
  test('an empty file has the defaults of HF', () => {
    expect(LlamaConfig.fromJson({})).toEqual({
      modelType: 'llama',
      isEncoderDecoder: false,
      vocabSize: 32000,
      hiddenSize: 4096,
      intermediateSize: 11008,
      numHiddenLayers: 32,
      numAttentionHeads: 32,
      numKeyValueHeads: 32,
      headDim: 128,
      hiddenAct: 'silu',
      maxPositionEmbeddings: 2048,
      ropeTheta: 10000,
      rmsNormEps: 1e-6,
      attentionBias: false,
      mlpBias: false,
      attentionDropout: 0,
      initializerRange: 0.02,
      useCache: true,
      tieWordEmbeddings: false,
      bosTokenId: 1,
      eosTokenId: 2,
      padTokenId: undefined,
      rotaryDim: 128,
      outputHiddenStates: false,
      outputAttentions: false,
      json: {},
    });
  });

  test('absent head sizes derive from the others, null ones too', () => {
    expect(LlamaConfig.fromJson({ hidden_size: 48, num_attention_heads: 6, num_key_value_heads: null })).toMatchObject({
      numKeyValueHeads: 6,
      headDim: 8,
    });
    expect(
      LlamaConfig.fromJson({ hidden_size: 48, num_attention_heads: 6, num_key_value_heads: 2, head_dim: 10 }),
    ).toMatchObject({ numKeyValueHeads: 2, headDim: 10 });
  });

  test.each([
    ['its own key', { rope_theta: 5e5 }, 5e5],
    ['rope_parameters', { rope_parameters: { rope_type: 'default', rope_theta: 5e5 } }, 5e5],
    ['rope_parameters before rope_theta', { rope_theta: 7, rope_parameters: { rope_theta: 5e5 } }, 5e5],
    ['rope_theta next to rope_parameters without one', { rope_theta: 7, rope_parameters: { rope_type: 'default' } }, 7],
    ['no scaling', { rope_scaling: null }, 10000],
    ['the default scaling', { rope_scaling: { type: 'default' } }, 10000],
  ])('the rotary base comes from %s', (_, json, theta) => {
    expect(LlamaConfig.fromJson(json).ropeTheta).toBe(theta);
  });

  test.each([
    ['ntk', { rope_scaling: { type: 'ntk', factor: 2 } }],
    ['0.5', { rope_parameters: { partial_rotary_factor: 0.5 } }],
    ['an object', { rope_scaling: { rope_type: {} } }],
  ])('rejects unsupported rotary parameters: %s', (name, json) => {
    expect(() => LlamaConfig.fromJson(json)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE', message: expect.stringContaining(name) as string }),
    );
  });

  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  const read3 = { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4 };
  test.each([
    ['none', {}, undefined],
    ['linear by its older name', { rope_scaling: { type: 'linear', factor: 2 } }, { type: 'linear', factor: 2 }],
    ['linear', { rope_parameters: { rope_type: 'linear', factor: 2.5 } }, { type: 'linear', factor: 2.5 }],
    ['dynamic', { rope_scaling: { type: 'dynamic', factor: 2 } }, { type: 'dynamic', factor: 2 }],
    [
      'yarn with defaults',
      { max_position_embeddings: 64, rope_parameters: { rope_type: 'yarn', original_max_position_embeddings: 16 } },
      {
        type: 'yarn',
        factor: 4,
        attentionFactor: 0.1 * Math.log(4) + 1,
        originalMaxPositionEmbeddings: 16,
        betaFast: 32,
        betaSlow: 1,
        truncate: true,
      },
    ],
    [
      'llama3 with its positions',
      { rope_scaling: { ...llama3, original_max_position_embeddings: 64 } },
      { ...read3, originalMaxPositionEmbeddings: 64 },
    ],
    [
      'llama3 with those of the model',
      { max_position_embeddings: 512, rope_parameters: llama3 },
      { ...read3, originalMaxPositionEmbeddings: 512 },
    ],
    [
      'llama3 with those next to it',
      { original_max_position_embeddings: 32, rope_parameters: { ...llama3, original_max_position_embeddings: 64 } },
      { ...read3, originalMaxPositionEmbeddings: 32 },
    ],
  ])('reads the scaling of rotary frequencies: %s', (_, json, scaling) => {
    const config = LlamaConfig.fromJson({ model_type: 'llama', ...json });
    expect(config.ropeScaling).toEqual(scaling);
    expect(LlamaConfig.toJson(config)).toEqual({ model_type: 'llama', ...json });
    expect(LlamaConfig.create(config).ropeScaling).toEqual(scaling);
    expect(() => LlamaConfig.create({ ropeScaling: { type: 'linear', factor: 3 } })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });

  test.each([
    [{ rope_scaling: { type: 'linear' } }],
    [{ rope_scaling: { type: 'linear', factor: 0 } }],
    [{ rope_scaling: { ...llama3, high_freq_factor: 1 } }],
    [{ rope_scaling: { ...llama3, low_freq_factor: undefined } }],
    [{ rope_scaling: { ...llama3, original_max_position_embeddings: 0.5 } }],
    [{ rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_type: 'linear', factor: 3 } }],
    [{ hidden_size: 10, num_attention_heads: 3 }],
    [{ num_attention_heads: 32, num_key_value_heads: 5 }],
    [{ hidden_size: 12, num_attention_heads: 4 }],
    [{ rope_theta: 0 }],
    [{ rope_theta: '10000' }],
    [{ rope_parameters: { rope_theta: -1 } }],
    [{ rope_scaling: 'linear' }],
    [{ rms_norm_eps: 0 }],
    [{ head_dim: 2 ** 40 }],
  ])('rejects invalid values: %j', (json) => {
    expect(() => LlamaConfig.fromJson(json)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  });

  test('round trip, with overrides under the keys of the file', () => {
    const json = {
      model_type: 'llama',
      hidden_size: 48,
      num_attention_heads: 4,
      rope_parameters: { rope_theta: 500, rope_type: 'default' },
      torch_dtype: 'float16',
    };
    expect(LlamaConfig.toJson(LlamaConfig.fromJson(json))).toEqual(json);
    expect(LlamaConfig.toJson(LlamaConfig.create({ json, ropeTheta: 900 }))).toEqual({
      ...json,
      rope_parameters: { rope_theta: 900, rope_type: 'default' },
    });
    expect(LlamaConfig.toJson(LlamaConfig.create({ ropeTheta: 900 }))).toEqual({
      model_type: 'llama',
      rope_theta: 900,
    });
    expect(LlamaConfig.create({ json, numKeyValueHeads: 2 })).toMatchObject({
      numKeyValueHeads: 2,
      headDim: 12,
      ropeTheta: 500,
    });
  });

  test('TextConfig reads it by its model_type', () => {
    const config = TextConfig.fromJson({
      model_type: 'instructblip',
      text_config: { model_type: 'llama', bos_token_id: 7, pad_token_id: 3 },
    });
    expect(config).toMatchObject({ modelType: 'llama', isEncoderDecoder: false });
    expect(TextConfig.specialTokens(config)).toEqual({ bosTokenId: 7, eosTokenId: 2, padTokenId: 3 });
    expect(TextConfig.toJson(config)).toEqual({ model_type: 'llama', bos_token_id: 7, pad_token_id: 3 });
  });

  test('rejects another model', () => {
    expect(() => LlamaConfig.fromJson({ model_type: 'mistral' })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE' }),
    );
  });
});

test('a family may rotate a part of each head, with a default of its own', () => {
  const format = defineRotaryDecoderConfig<RotaryDecoderConfig & { readonly modelType: 'partial' }, object>({
    modelType: 'partial',
    defaults: { ...ROTARY_DEFAULTS, hiddenSize: 32, heads: 2 },
    fields: {},
    derived: [],
    derive: () => ({}),
    partialRotary: 0.25,
  });
  const rotaryDim = (json: object): number => format.fromJson({ model_type: 'partial', ...json }).rotaryDim;
  expect(rotaryDim({})).toBe(4);
  expect(rotaryDim({ partial_rotary_factor: 0.5 })).toBe(8);
  expect(rotaryDim({ rope_parameters: { rope_type: 'default', partial_rotary_factor: 1 } })).toBe(16);
  expect(rotaryDim({ rope_parameters: { rope_type: 'default', rope_theta: 100 } })).toBe(4);
});
