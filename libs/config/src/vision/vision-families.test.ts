import { expect, test } from 'vitest';

import { VisionConfig } from './vision-families.ts';

test.each([
  [{ model_type: 'blip_2_vision_model' }, 'blip_2_vision_model'],
  [{ model_type: 'clip_vision_model' }, 'clip_vision_model'],
  [{ model_type: 'blip-2', vision_config: {} }, 'blip_2_vision_model'],
  [{ model_type: 'instructblip', vision_config: {} }, 'instructblip_vision_model'],
  [{ model_type: 'clip', vision_config: {} }, 'clip_vision_model'],
  [{ model_type: 'clip', vision_config: { model_type: 'clip_vision_model' } }, 'clip_vision_model'],
  [{}, 'blip_2_vision_model'],
])('%j is the configuration of %s', (json, modelType) => {
  expect(VisionConfig.fromJson(json).modelType).toBe(modelType);
});

test('rejects other types with the registered ones', () => {
  expect(() => VisionConfig.fromJson({ model_type: 'no_such_model' })).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_ARCHITECTURE',
      message: expect.stringContaining('clip_vision_model') as string,
    }),
  );
});
