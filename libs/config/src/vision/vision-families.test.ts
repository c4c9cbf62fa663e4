import { expect, test } from 'vitest';

import { VisionConfig } from './vision-families.ts';

test.each([
  [{ model_type: 'blip_2_vision_model' }, 'blip_2_vision_model'],
  [{ model_type: 'clip_vision_model' }, 'clip_vision_model'],
  [{ model_type: 'blip-2', vision_config: {} }, 'blip_2_vision_model'],
  [{ model_type: 'instructblip', vision_config: {} }, 'instructblip_vision_model'],
  [{ model_type: 'clip', vision_config: {} }, 'clip_vision_model'],
  [{ model_type: 'clip', vision_config: { model_type: 'clip_vision_model' } }, 'clip_vision_model'],
  [{ model_type: 'siglip', vision_config: {} }, 'siglip_vision_model'],
  [{ model_type: 'siglip', vision_config: { model_type: 'siglip_vision_model' } }, 'siglip_vision_model'],
  [{ model_type: 'siglip_vision_model' }, 'siglip_vision_model'],
  [{ model_type: 'dinov2' }, 'dinov2'],
  [{ model_type: 'vit' }, 'vit'],
  [{ architecture: 'eva_giant_patch14_224' }, 'eva'],
  [{ model_type: 'eva' }, 'eva'],
  [{ model_cfg: { vision_cfg: { timm_model_name: 'eva_giant_patch14_224', timm_pool: 'token' } } }, 'eva'],
  [{}, 'blip_2_vision_model'],
])('%j is the configuration of %s', (json, modelType) => {
  expect(VisionConfig.fromJson(json).modelType).toBe(modelType);
});

test.each([
  { model_type: 'no_such_model' },
  // Patches of several resolutions, already cut out.
  { model_type: 'siglip2', vision_config: { model_type: 'siglip2_vision_model' } },
  { model_type: 'siglip2_vision_model' },
  { model_type: 'dinov2_with_registers' },
])('rejects %j with the registered types', (json) => {
  expect(() => VisionConfig.fromJson(json)).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_ARCHITECTURE',
      message: expect.stringContaining('clip_vision_model') as string,
    }),
  );
});
