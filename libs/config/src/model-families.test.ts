import { describe, expect, test } from 'vitest';

import { Blip2Config } from './blip2-config.ts';
import { InstructBlipConfig } from './instructblip-config.ts';
import { Gpt2Config } from './text/gpt2-config.ts';
import { Blip2VisionConfig } from './vision/blip2-vision-config.ts';
import { ClipVisionConfig } from './vision/clip-vision-config.ts';
import { SiglipVisionConfig } from './vision/siglip-vision-config.ts';
import { VisionConfig } from './vision/vision-families.ts';
import { VitConfig } from './vision/vit-config.ts';

const encoders: readonly VisionConfig[] = [
  ClipVisionConfig.create({ hiddenSize: 32, numAttentionHeads: 2, projectionDim: 8 }),
  SiglipVisionConfig.create({ hiddenSize: 48, numAttentionHeads: 2, visionUseHead: false }),
  VitConfig.create({ hiddenSize: 64, numAttentionHeads: 2, qkvBias: false }),
];

describe.each([
  ['BLIP-2', Blip2Config],
  ['InstructBLIP', InstructBlipConfig],
] as const)('the configuration of %s', (_, format: typeof Blip2Config | typeof InstructBlipConfig) => {
  test.each(encoders.map((config) => [config.modelType, config] as const))('contains an encoder of %s', (type, own) => {
    const config = format.create({ visionConfig: own });
    expect(config.qformerConfig.encoderHiddenSize).toBe(own.hiddenSize);
    for (const options of [{}, { full: true }]) {
      const json = format.toJson(config as never, options);
      expect(json).toMatchObject({ vision_config: { model_type: type, hidden_size: own.hiddenSize } });
      const { json: _json, ...members } = format.fromJson(json).visionConfig;
      const { json: _ownJson, ...expected } = own;
      expect(members).toEqual(expected);
    }
  });

  test('does not name its own encoder, nor take one of another family without a name', () => {
    const json = format.toJson(format.create({ visionConfig: Blip2VisionConfig.create({ hiddenSize: 32 }) }) as never);
    expect(json).toMatchObject({ vision_config: { hidden_size: 32 } });
    expect(format.fromJson(json).visionConfig.modelType).toMatch(/^(?:blip_2|instructblip)_vision_model$/);
    expect(() => VitConfig.fromJson({ ...json, model_type: 'blip-2' })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE' }),
    );
  });
});

test('an encoder of another family keeps its unknown keys, and its text model stays', () => {
  const vision_config = { model_type: 'vit', hidden_size: 24, num_attention_heads: 2, note: 'kept' };
  const json = { model_type: 'blip-2', vision_config, text_config: { model_type: 'gpt2', n_embd: 24, n_head: 2 } };
  const config = Blip2Config.fromJson(json);
  expect([config.visionConfig.modelType, config.textConfig.modelType]).toEqual(['vit', 'gpt2']);
  expect(Blip2Config.toJson(config)).toEqual(json);
  const changed = Blip2Config.create({
    ...config,
    textConfig: Gpt2Config.create({ hiddenSize: 32, numAttentionHeads: 2 }),
  });
  expect(Blip2Config.toJson(changed)).toMatchObject({ vision_config, text_config: { model_type: 'gpt2', n_embd: 32 } });
});

test('an encoder of a model of another kind is not taken', () => {
  const llava = { model_type: 'llava', vision_config: { model_type: 'clip_vision_model' } };
  expect(() => VisionConfig.fromJson(llava)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE' }));
});
