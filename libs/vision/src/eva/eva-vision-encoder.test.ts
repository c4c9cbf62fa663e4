import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pseudoRandomTensor } from '@blip2/testing';
import { expect, onTestFinished, test } from 'vitest';

import { loadVisionEncoder } from '../families.ts';

const checkpoint = join(import.meta.dirname, '../../../../tools/parity/cases/eva-mean/checkpoint');
const SIZE = 22;

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-eva-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('weights that open_clip saved are found under its name and path', async () => {
  const folder = await temporary();
  await copyFile(join(checkpoint, 'config.json'), join(folder, 'config.json'));
  await copyFile(join(checkpoint, 'model.safetensors'), join(folder, 'open_clip_model.safetensors'));
  await using clip = await loadVisionEncoder(folder, { threads: 1 });
  await using plain = await loadVisionEncoder(checkpoint, { threads: 1 });
  const pixels = pseudoRandomTensor(1, 3, SIZE, SIZE);
  expect((await clip.encode(pixels)).data).toEqual((await plain.encode(pixels)).data);
});

test('a configuration of open_clip alone has the sizes of the architecture, which the weights must have', async () => {
  const folder = await temporary();
  const vision = { timm_model_name: 'eva_giant_patch14_224', timm_pool: 'token' };
  await writeFile(join(folder, 'open_clip_config.json'), JSON.stringify({ model_cfg: { vision_cfg: vision } }));
  await copyFile(join(checkpoint, 'model.safetensors'), join(folder, 'open_clip_model.safetensors'));
  await using encoder = await loadVisionEncoder(folder, { threads: 1 });
  expect([encoder.hiddenSize, encoder.imageSize]).toEqual([1408, 224]);
  await expect(encoder.encode(pseudoRandomTensor(1, 3, 224, 224))).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
});

test('EVA-02 is refused by name', async () => {
  const folder = await temporary();
  await writeFile(join(folder, 'config.json'), JSON.stringify({ architecture: 'eva02_large_patch14_clip_224' }));
  await expect(loadVisionEncoder(folder)).rejects.toMatchObject({
    code: 'UNSUPPORTED_ARCHITECTURE',
    message: expect.stringContaining('eva02_large_patch14_clip_224') as string,
  });
});
