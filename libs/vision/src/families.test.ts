import { join } from 'node:path';

import { expect, test } from 'vitest';

import { loadVisionEncoder, visionFamily } from './families.ts';

const root = join(import.meta.dirname, '../../..');

test.each([
  ['blip_2_vision_model', join(root, 'tools/parity/cases/opt/checkpoint')],
  ['clip_vision_model', join(root, 'tools/parity/cases/clip/checkpoint')],
  ['siglip_vision_model', join(root, 'tools/parity/cases/siglip/checkpoint')],
  ['dinov2', join(root, 'tools/parity/cases/dinov2-giant/checkpoint')],
  ['vit', join(root, 'tools/parity/cases/vit-classifier/checkpoint')],
  ['eva', join(root, 'tools/parity/cases/eva-mean/checkpoint')],
])('loads %s from the checkpoint that contains it', async (modelType, folder) => {
  await using encoder = await loadVisionEncoder(folder, { threads: 1 });
  expect(encoder.config.modelType).toBe(modelType);
  expect(encoder.hiddenSize).toBe(encoder.config.hiddenSize);
});

test('rejects other types with the registered ones', () => {
  expect(() => visionFamily('no_such_model')).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_ARCHITECTURE',
      message: expect.stringContaining('clip_vision_model') as string,
    }),
  );
});
