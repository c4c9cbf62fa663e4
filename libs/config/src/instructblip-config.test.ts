import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { Blip2Config } from './blip2-config.ts';
import { InstructBlipConfig } from './instructblip-config.ts';
import { Blip2QFormerConfig } from './qformer-config.ts';
import { TextConfig } from './text/text-config.ts';
import { Blip2VisionConfig } from './vision/blip2-vision-config.ts';

const cases = join(import.meta.dirname, '../../../tools/parity/cases');
const stored = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(join(cases, name, 'checkpoint/config.json'), 'utf8'));

describe('InstructBlipConfig', () => {
  test('an empty file has the defaults of HF', () => {
    const config = InstructBlipConfig.fromJson({});
    expect(config).toMatchObject({
      modelType: 'instructblip',
      numQueryTokens: 32,
      imageTokenIndex: undefined,
      initializerFactor: 1,
      initializerRange: 0.02,
      useDecoderOnlyLanguageModel: true,
      isEncoderDecoder: false,
    });
    expect(config.visionConfig).toMatchObject({
      modelType: 'instructblip_vision_model',
      hiddenSize: 1408,
      layerNormEps: 1e-6,
      hiddenAct: 'gelu',
      qkvBias: true,
    });
    expect(config.qformerConfig).toMatchObject({
      modelType: 'instructblip_qformer',
      vocabSize: 30522,
      crossAttentionFrequency: 2,
      layerNormEps: 1e-12,
    });
    expect(config.textConfig.modelType).toBe('opt');
  });

  test.each([
    ['instructblip-llama', 'llama', true],
    ['instructblip-t5', 't5', false],
  ])('round trip: %s', async (name, language, decoderOnly) => {
    const json = await stored(name);
    const config = InstructBlipConfig.fromJson(json);
    expect(config).toMatchObject({
      numQueryTokens: 5,
      textConfig: { modelType: language },
      useDecoderOnlyLanguageModel: decoderOnly,
      qformerConfig: { hiddenSize: 48, encoderHiddenSize: 40, modelType: 'instructblip_qformer' },
    });
    expect(InstructBlipConfig.toJson(config)).toEqual(json);
  });

  test('a part of a full model has the type of its family, and keeps its own values', async () => {
    const json = await stored('instructblip-llama');
    expect(Blip2VisionConfig.fromJson(json)).toMatchObject({ modelType: 'instructblip_vision_model', hiddenSize: 40 });
    expect(Blip2QFormerConfig.fromJson(json)).toMatchObject({
      modelType: 'instructblip_qformer',
      encoderHiddenSize: 40,
    });
    expect(Blip2VisionConfig.fromJson({ model_type: 'instructblip' }).modelType).toBe('instructblip_vision_model');
    expect(Blip2VisionConfig.fromJson({ model_type: 'blip-2' }).modelType).toBe('blip_2_vision_model');
    expect(Blip2QFormerConfig.toJson(Blip2QFormerConfig.create({ modelType: 'instructblip_qformer' }))).toEqual({
      model_type: 'instructblip_qformer',
    });
  });

  test('parts created for BLIP-2 are written with the types of InstructBLIP', () => {
    const config = InstructBlipConfig.create({
      visionConfig: Blip2VisionConfig.create({ hiddenSize: 32, numAttentionHeads: 2 }),
      qformerConfig: Blip2QFormerConfig.create({ numHiddenLayers: 2 }),
      textConfig: TextConfig.fromJson({ model_type: 'llama' }),
      numQueryTokens: 4,
    });
    expect(InstructBlipConfig.toJson(config)).toEqual({
      model_type: 'instructblip',
      num_query_tokens: 4,
      vision_config: { model_type: 'instructblip_vision_model', hidden_size: 32, num_attention_heads: 2 },
      qformer_config: { model_type: 'instructblip_qformer', num_hidden_layers: 2 },
      text_config: { model_type: 'llama' },
    });
    expect(config.qformerConfig.encoderHiddenSize).toBe(32);
  });

  test.each([
    [{ model_type: 'blip-2' }],
    [{ model_type: 'instructblipvideo' }],
    [{ text_config: { model_type: 'falcon' } }],
    [{ qformer_config: { model_type: 'bert' } }],
  ])('rejects another model: %j', (json) => {
    expect(() => InstructBlipConfig.fromJson(json)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE' }),
    );
  });

  test.each([
    [{ num_query_tokens: 0 }],
    [{ image_token_index: -2 }],
    [{ vision_config: [] }],
    [{ qformer_config: { hidden_size: 10, num_attention_heads: 3 } }],
  ])('rejects invalid values: %j', (json) => {
    expect(() => InstructBlipConfig.fromJson(json)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  });

  test('Blip2Config rejects it', async () => {
    const json = await stored('instructblip-t5');
    expect(() => Blip2Config.fromJson(json)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE' }));
  });
});
