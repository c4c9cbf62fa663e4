import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Blip2Error, type ErrorCode } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, OptConfig, T5Config, TextConfig } from './index.ts';

const cases = join(import.meta.dirname, '../../../tools/parity/cases');
const golden = (name: string): unknown => JSON.parse(readFileSync(join(cases, name, 'checkpoint/config.json'), 'utf8'));
const error = (run: () => unknown): { code: ErrorCode; message: string } => {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof Blip2Error) return { code: thrown.code, message: thrown.message };
    throw thrown;
  }
  return expect.fail('nothing was thrown');
};

describe('Blip2Config.fromJson', () => {
  test('fills in the fields that the stock config.json of opt-2.7b omits', () => {
    // As published: only what differs from the defaults of its time, and keys of the base class.
    const stock = {
      architectures: ['Blip2ForConditionalGeneration'],
      image_text_hidden_size: 256,
      image_token_index: 50265,
      initializer_factor: 1,
      initializer_range: 0.02,
      model_type: 'blip-2',
      num_query_tokens: 32,
      qformer_config: { classifier_dropout: null, model_type: 'blip_2_qformer' },
      text_config: {
        activation_dropout: 0,
        eos_token_id: 50118,
        ffn_dim: 10240,
        hidden_size: 2560,
        model_type: 'opt',
        num_attention_heads: 32,
        num_hidden_layers: 32,
        prefix: '</s>',
        torch_dtype: 'float16',
        vocab_size: 50304,
        word_embed_proj_dim: 2560,
      },
      torch_dtype: 'float32',
      use_decoder_only_language_model: true,
      vision_config: {
        dropout: 0,
        initializer_factor: 1,
        model_type: 'blip_2_vision_model',
        num_channels: 3,
        projection_dim: 512,
      },
    };
    const config = Blip2Config.fromJson(stock);
    expect(config.visionConfig).toMatchObject({
      hiddenSize: 1408,
      numHiddenLayers: 39,
      imageSize: 224,
      layerNormEps: 1e-6,
      qkvBias: true,
    });
    expect(config.qformerConfig).toMatchObject({
      hiddenSize: 768,
      encoderHiddenSize: 1408,
      crossAttentionFrequency: 2,
      layerNormEps: 1e-12,
      positionEmbeddingType: 'absolute',
    });
    expect(config.textConfig).toMatchObject({
      modelType: 'opt',
      hiddenSize: 2560,
      maxPositionEmbeddings: 2048,
      activationFunction: 'relu',
      bosTokenId: 2,
      padTokenId: 1,
      eosTokenId: 50118,
    });
    expect(config).toMatchObject({
      imageTokenIndex: 50265,
      useDecoderOnlyLanguageModel: true,
      isEncoderDecoder: false,
      outputAttentions: false,
    });
    expect(Blip2Config.toJson(config)).toEqual(stock);
  });

  test.each(['opt', 'opt-legacy-fp16', 't5', 'itm', 'qformer-relative-key'])('round trip: %s', (name) => {
    const json = golden(name);
    expect(Blip2Config.toJson(Blip2Config.fromJson(json))).toEqual(json);
  });

  test('uses the width of the vision encoder for the Q-Former, overriding the file', () => {
    const json = { vision_config: { hidden_size: 64 }, qformer_config: { encoder_hidden_size: 1408 } };
    const config = Blip2Config.fromJson(json);
    expect(config.qformerConfig.encoderHiddenSize).toBe(64);
    expect(Blip2QFormerConfig.fromJson(json).encoderHiddenSize).toBe(64);
    expect(Blip2QFormerConfig.fromJson(json.qformer_config).encoderHiddenSize).toBe(1408);
    expect(Blip2Config.toJson(config)).toEqual(json);
  });

  test.each([
    [{}, undefined],
    [{ image_token_index: null }, undefined],
    [{ image_token_index: 7 }, 7],
    [{ image_token_id: 5 }, 5],
    [{ image_token_index: 7, image_token_id: 5 }, 5],
  ])('finds the image token in %j', (json, expected) => {
    expect(Blip2Config.fromJson(json).imageTokenIndex).toBe(expected);
  });

  test('a language model without model_type is OPT, and null parts have defaults', () => {
    expect(Blip2Config.fromJson({ text_config: { vocab_size: 9 } }).textConfig).toMatchObject({
      modelType: 'opt',
      vocabSize: 9,
    });
    const json = { vision_config: null, qformer_config: null, text_config: null };
    expect(Blip2Config.toJson(Blip2Config.fromJson(json))).toEqual(json);
  });

  test('fields that depend on the language model are derived, overriding the file', () => {
    const config = Blip2Config.fromJson({
      use_decoder_only_language_model: true,
      is_encoder_decoder: false,
      text_config: { model_type: 't5' },
    });
    expect(config).toMatchObject({ useDecoderOnlyLanguageModel: false, isEncoderDecoder: true });
  });

  test.each<[object, ErrorCode, string]>([
    [{ model_type: 'clip' }, 'UNSUPPORTED_ARCHITECTURE', 'model_type'],
    [{ model_type: 'instructblip' }, 'UNSUPPORTED_ARCHITECTURE', 'blip-2'],
    [{ text_config: { model_type: 'falcon' } }, 'UNSUPPORTED_ARCHITECTURE', 'one of opt, t5, llama'],
    [{ text_config: { model_type: null } }, 'UNSUPPORTED_ARCHITECTURE', 'text_config.model_type'],
    [{ vision_config: { model_type: 'swin' } }, 'UNSUPPORTED_ARCHITECTURE', 'vision_config.model_type'],
    [{ vision_config: [] }, 'INVALID_CONFIG', 'vision_config'],
    [{ vision_config: { hidden_size: 2 ** 31 } }, 'INVALID_CONFIG', 'vision_config.hidden_size'],
    [{ vision_config: { hidden_size: 0 } }, 'INVALID_CONFIG', 'vision_config.hidden_size'],
    [{ vision_config: { hidden_size: 8.5 } }, 'INVALID_CONFIG', 'vision_config.hidden_size'],
    [{ vision_config: { hidden_size: 'NaN' } }, 'INVALID_CONFIG', 'vision_config.hidden_size'],
    [{ vision_config: { hidden_size: null } }, 'INVALID_CONFIG', 'vision_config.hidden_size'],
    [{ vision_config: { hidden_size: 100, num_attention_heads: 16 } }, 'INVALID_CONFIG', 'num_attention_heads'],
    [{ vision_config: { image_size: 8, patch_size: 14 } }, 'INVALID_CONFIG', 'patch'],
    [{ vision_config: { layer_norm_eps: 0 } }, 'INVALID_CONFIG', 'layer_norm_eps'],
    [{ vision_config: { layer_norm_eps: -1e-6 } }, 'INVALID_CONFIG', 'layer_norm_eps'],
    [{ vision_config: { layer_norm_eps: Infinity } }, 'INVALID_CONFIG', 'layer_norm_eps'],
    [{ vision_config: { hidden_act: 'swoosh' } }, 'INVALID_CONFIG', 'gelu_new'],
    [{ vision_config: { qkv_bias: 1 } }, 'INVALID_CONFIG', 'qkv_bias'],
    [{ qformer_config: { num_attention_heads: 7 } }, 'INVALID_CONFIG', 'num_attention_heads'],
    [{ qformer_config: { cross_attention_frequency: 0 } }, 'INVALID_CONFIG', 'cross_attention_frequency'],
    [{ qformer_config: { position_embedding_type: 'rotary' } }, 'INVALID_CONFIG', 'relative_key_query'],
    [{ text_config: { vocab_size: 1e9 } }, 'INVALID_CONFIG', 'text_config.vocab_size'],
    [{ text_config: { eos_token_id: [] } }, 'INVALID_CONFIG', 'eos_token_id'],
    [{ text_config: { eos_token_id: [2, -2] } }, 'INVALID_CONFIG', 'eos_token_id'],
    [{ text_config: { pad_token_id: -2 } }, 'INVALID_CONFIG', 'pad_token_id'],
    [{ text_config: { pad_token_id: Number.NaN } }, 'INVALID_CONFIG', 'pad_token_id'],
    [{ text_config: { hidden_size: Infinity } }, 'INVALID_CONFIG', 'hidden_size'],
    [{ text_config: { activation_function: 'constructor' } }, 'INVALID_CONFIG', 'activation_function'],
    [{ num_query_tokens: 0 }, 'INVALID_CONFIG', 'num_query_tokens'],
    [{ num_query_tokens: true }, 'INVALID_CONFIG', 'num_query_tokens'],
    [{ image_token_index: -2 }, 'INVALID_CONFIG', 'image_token_index'],
    [{ initializer_range: NaN }, 'INVALID_CONFIG', 'initializer_range'],
    [{ output_attentions: 'yes' }, 'INVALID_CONFIG', 'output_attentions'],
  ])('rejects %j', (json, code, named) => {
    const found = error(() => Blip2Config.fromJson(json));
    expect(found.code).toBe(code);
    expect(found.message).toContain(named);
    expect(found.message).toContain('config.json');
  });

  test.each([null, 3, 'x', [], undefined])('rejects %j as a configuration', (json) => {
    expect(error(() => Blip2Config.fromJson(json)).code).toBe('INVALID_CONFIG');
  });

  test('rejects nesting that would exhaust the stack', () => {
    const deep: unknown = JSON.parse(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
    expect(error(() => Blip2Config.fromJson(deep)).code).toBe('INVALID_CONFIG');
  });

  test('treats __proto__ as a key like any other', () => {
    const json: unknown = JSON.parse(
      '{"__proto__":{"num_query_tokens":5,"polluted":1},"vision_config":{"__proto__":{"hidden_size":32}}}',
    );
    const config = Blip2Config.fromJson(json);
    expect([config.numQueryTokens, config.visionConfig.hiddenSize, Reflect.get({}, 'polluted')]).toEqual([
      32,
      1408,
      undefined,
    ]);
    expect(JSON.stringify(Blip2Config.toJson(config))).toBe(JSON.stringify(json));
  });

  test('returns frozen values that are independent of the input', () => {
    const json = { extra: { list: [1] }, vision_config: { hidden_size: 32 } };
    const config = Blip2Config.fromJson(json);
    json.extra.list.push(2);
    json.vision_config.hidden_size = 48;
    expect(Blip2Config.toJson(config)).toEqual({ extra: { list: [1] }, vision_config: { hidden_size: 32 } });
    for (const value of [
      config,
      config.visionConfig,
      config.qformerConfig,
      config.textConfig,
      config.json,
      config.json['extra'],
    ])
      expect(Object.isFrozen(value)).toBe(true);
  });
});

describe('Blip2Config.create and the part-wise constructors', () => {
  test('writes only values that differ from the defaults', () => {
    const config = Blip2Config.create({
      numQueryTokens: 4,
      visionConfig: Blip2VisionConfig.create({ hiddenSize: 32, outputAttentions: true }),
    });
    expect(Blip2Config.toJson(config)).toEqual({
      model_type: 'blip-2',
      num_query_tokens: 4,
      vision_config: { model_type: 'blip_2_vision_model', hidden_size: 32, output_attentions: true },
    });
    expect(config.qformerConfig.encoderHiddenSize).toBe(32);
  });

  test('writes every field with full', () => {
    const full = Blip2Config.toJson(Blip2Config.create(), { full: true });
    expect(full).toMatchObject({
      model_type: 'blip-2',
      num_query_tokens: 32,
      image_token_index: null,
      use_decoder_only_language_model: true,
      text_config: { model_type: 'opt', word_embed_proj_dim: 768 },
    });
    expect(Blip2Config.fromJson(full)).toMatchObject({ numQueryTokens: 32, visionConfig: { hiddenSize: 1408 } });
  });

  test('replaces fields of an existing configuration and keeps unknown keys', () => {
    const config = Blip2Config.fromJson(golden('opt'));
    const changed = Blip2Config.create({ ...config, imageTokenIndex: undefined });
    expect(Blip2Config.toJson(changed)).toEqual({ ...Blip2Config.toJson(config), image_token_index: null });
  });

  test('composes three parts', () => {
    const config = Blip2Config.fromVisionQFormerTextConfigs(
      Blip2VisionConfig.create({ hiddenSize: 32 }),
      Blip2QFormerConfig.create({ hiddenSize: 24 }),
      T5Config.create({ dModel: 16 }),
      { numQueryTokens: 3 },
    );
    expect(config).toMatchObject({
      numQueryTokens: 3,
      isEncoderDecoder: true,
      visionConfig: { hiddenSize: 32 },
      qformerConfig: { hiddenSize: 24, encoderHiddenSize: 32 },
      textConfig: { modelType: 't5', dModel: 16 },
    });
    expect(Blip2Config.fromJson(Blip2Config.toJson(config))).toMatchObject({
      textConfig: { modelType: 't5', dModel: 16 },
    });
  });

  test('keeps the type of a T5 that has only defaults', () => {
    for (const text of [T5Config.create(), T5Config.fromJson({})]) {
      const config = Blip2Config.fromTextVisionConfigs(Blip2VisionConfig.create(), Blip2QFormerConfig.create(), text);
      expect(config.textConfig.modelType).toBe('t5');
      expect(Blip2Config.fromJson(Blip2Config.toJson(config)).textConfig.modelType).toBe('t5');
    }
  });

  test('rejects invalid values and unknown names', () => {
    expect(error(() => Blip2VisionConfig.create({ hiddenSize: 30 })).code).toBe('INVALID_CONFIG');
    expect(error(() => Blip2Config.create({ numQueryTokens: -1 })).code).toBe('INVALID_CONFIG');
    const misspelt: object = { numQueryToken: 3 };
    expect(error(() => Blip2Config.create(misspelt)).code).toBe('UNKNOWN_OPTION');
  });
});

describe('defaults', () => {
  const reference = JSON.parse(readFileSync(join(cases, 'values/config-defaults.json'), 'utf8'));
  // Values that HF has in memory and not in its configuration: position kinds end with 4.57, T5 names no start token
  // of its own.
  const ours: Record<string, unknown> = {
    position_embedding_type: 'absolute',
    bos_token_id: null,
    decoder_start_token_id: null,
  };
  test.each([
    ['vision', Blip2VisionConfig.toJson(Blip2VisionConfig.create(), { full: true })],
    ['qformer', Blip2QFormerConfig.toJson(Blip2QFormerConfig.create(), { full: true })],
    ['opt', OptConfig.toJson(OptConfig.create(), { full: true })],
    ['t5', T5Config.toJson(T5Config.create(), { full: true })],
  ])('are those of HF: %s', (name, full) => {
    expect(Object.keys(full).length).toBeGreaterThan(12);
    for (const [key, value] of Object.entries(full))
      expect([key, value]).toEqual([key, key in reference[name] ? reference[name][key] : ours[key]]);
  });
});

describe('OptConfig', () => {
  test('the token embedding is as wide as the hidden states by default', () => {
    expect(OptConfig.fromJson({ hidden_size: 96 }).wordEmbedProjDim).toBe(96);
    expect(OptConfig.fromJson({ hidden_size: 96, word_embed_proj_dim: 24 }).wordEmbedProjDim).toBe(24);
    const narrow = OptConfig.create({ ...OptConfig.create({ hiddenSize: 96 }), hiddenSize: 48 });
    expect([narrow.hiddenSize, narrow.wordEmbedProjDim]).toEqual([48, 96]);
    expect(OptConfig.fromJson(OptConfig.toJson(narrow)).wordEmbedProjDim).toBe(96);
  });

  test('rejects the configuration of another model', () => {
    expect(error(() => OptConfig.fromJson({ model_type: 't5' })).code).toBe('UNSUPPORTED_ARCHITECTURE');
    expect(error(() => OptConfig.fromJson(golden('t5'))).message).toContain('opt');
  });
});

describe('T5Config', () => {
  test.each([
    [{}, 'relu', false, true],
    [{ feed_forward_proj: 'gated-gelu' }, 'gelu_new', true, true],
    [{ feed_forward_proj: 'gated-gelu', dense_act_fn: 'gelu', tie_word_embeddings: false }, 'gelu', true, false],
    [{ feed_forward_proj: 'gated-silu' }, 'silu', true, true],
    [{ feed_forward_proj: 'relu', is_gated_act: true }, 'relu', true, true],
    [{ feed_forward_proj: 'gelu' }, 'gelu', false, true],
    [{ scale_decoder_outputs: false, tie_word_embeddings: true }, 'relu', false, false],
    [{ scale_decoder_outputs: true, tie_word_embeddings: false }, 'relu', false, true],
  ])('derives activation, gate and scale from %j', (json, denseActFn, isGatedAct, scaleDecoderOutputs) => {
    expect(T5Config.fromJson(json)).toMatchObject({ denseActFn, isGatedAct, scaleDecoderOutputs });
    expect(T5Config.toJson(T5Config.fromJson(json))).toEqual(json);
  });

  test('accepts the aliases of HF', () => {
    const json = { hidden_size: 16, num_attention_heads: 2, head_dim: 9, d_model: 8 };
    expect(T5Config.fromJson(json)).toMatchObject({ dModel: 16, numHeads: 2, dKv: 9 });
    expect(T5Config.toJson(T5Config.fromJson(json))).toEqual(json);
  });

  test.each([
    { feed_forward_proj: 'gated-gelu-new' },
    { feed_forward_proj: 'plain-relu' },
    { feed_forward_proj: 'gated-nothing' },
    { relative_attention_num_buckets: 2 },
    { relative_attention_max_distance: 16 },
    { is_encoder_decoder: false },
    { dense_act_fn: 'x' },
  ])('rejects %j', (json) => {
    expect(error(() => T5Config.fromJson(json)).code).toBe('INVALID_CONFIG');
  });

  test('has as many decoder layers as encoder layers by default', () => {
    expect(T5Config.fromJson({ num_layers: 3 }).numDecoderLayers).toBe(3);
    expect(T5Config.fromJson({ num_layers: 3, num_decoder_layers: 2 }).numDecoderLayers).toBe(2);
  });
});

describe('TextConfig.specialTokens', () => {
  test.each(['opt', 'llama', 't5'])('a token whose id is -1 does not exist: %s', (modelType) => {
    const ids = { bos_token_id: -1, eos_token_id: -1, pad_token_id: -1 };
    const config = TextConfig.fromJson({
      model_type: modelType,
      ...ids,
      ...(modelType === 't5' && { decoder_start_token_id: -1 }),
    });
    expect(TextConfig.specialTokens(config)).toEqual({});
    expect(TextConfig.toJson(config)).toMatchObject(ids);
    expect(
      TextConfig.specialTokens(TextConfig.fromJson({ model_type: modelType, eos_token_id: [3, -1, 4] })),
    ).toMatchObject({
      eosTokenId: [3, 4],
    });
  });
  test('neither does an image token or a pad token of the Q-Former', () => {
    const { imageTokenIndex, qformerConfig } = Blip2Config.fromJson({
      image_token_index: -1,
      qformer_config: { pad_token_id: -1 },
    });
    expect([imageTokenIndex, qformerConfig.padTokenId]).toEqual([undefined, undefined]);
  });
  test('absent tokens have the defaults of the model type', () => {
    expect(TextConfig.specialTokens(TextConfig.fromJson({}))).toEqual({ bosTokenId: 2, eosTokenId: 2, padTokenId: 1 });
    expect(TextConfig.specialTokens(TextConfig.fromJson({ pad_token_id: null, eos_token_id: [3, 4] }))).toEqual({
      bosTokenId: 2,
      eosTokenId: [3, 4],
    });
    expect(TextConfig.specialTokens(TextConfig.fromJson({ model_type: 't5' }))).toEqual({
      eosTokenId: 1,
      padTokenId: 0,
    });
    expect(TextConfig.specialTokens(TextConfig.fromJson({ model_type: 't5', bos_token_id: 1 }))).toEqual({
      bosTokenId: 1,
      eosTokenId: 1,
      padTokenId: 0,
      decoderStartTokenId: 1,
    });
    expect(TextConfig.specialTokens(TextConfig.fromJson(golden('t5')))).toEqual({
      bosTokenId: 1,
      eosTokenId: 1,
      padTokenId: 0,
      decoderStartTokenId: 0,
    });
  });
});
