import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { BlipImageProcessor } from './blip-image-processor.ts';
import { centerCrop } from './center-crop.ts';

async function settingsOf(files: Readonly<Record<string, unknown>>): Promise<BlipImageProcessor['settings']> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-timm-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, json] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(json));
  return (await BlipImageProcessor.fromPretrained(folder)).settings;
}

const images = { input_size: [3, 224, 224], interpolation: 'bicubic', mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] };
const timm = (changes: object): object => ({
  architecture: 'eva_giant_patch14_224',
  pretrained_cfg: { ...images, ...changes },
});
const clip = (vision: object, preprocess: object | undefined): object => ({
  model_cfg: { vision_cfg: { timm_model_name: 'eva_giant_patch14_224', ...vision } },
  preprocess_cfg: preprocess,
});

test('timm scales the shorter side by the part that is cropped', async () => {
  expect(await settingsOf({ 'config.json': timm({ crop_pct: 0.9 }) })).toMatchObject({
    size: { shortestEdge: 248 },
    resample: 'bicubic',
    doCenterCrop: true,
    cropSize: { height: 224, width: 224 },
    cropRounding: 'half-even',
    imageMean: [0.1, 0.2, 0.3],
    imageStd: [0.4, 0.5, 0.6],
  });
});

test('timm squeezes images, also to sizes that are no square', async () => {
  const changes = { input_size: [3, 210, 280], crop_mode: 'squash', crop_pct: 1 };
  expect(await settingsOf({ 'config.json': timm(changes) })).toMatchObject({
    size: { height: 210, width: 280 },
    cropSize: { height: 210, width: 280 },
  });
});

test('absent settings have the defaults of timm', async () => {
  expect(await settingsOf({ 'config.json': { architecture: 'x', pretrained_cfg: {} } })).toMatchObject({
    size: { shortestEdge: 256 },
    cropSize: { height: 224, width: 224 },
    imageMean: [0.485, 0.456, 0.406],
  });
});

test('open_clip crops to the image size, or squeezes to it', async () => {
  const shortest = clip(
    { image_size: 196 },
    { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6], interpolation: 'bilinear' },
  );
  expect(await settingsOf({ 'open_clip_config.json': shortest })).toMatchObject({
    size: { shortestEdge: 196 },
    cropSize: { height: 196, width: 196 },
    resample: 'bilinear',
    imageMean: [0.1, 0.2, 0.3],
  });
  const squeezed = clip({ image_size: [196, 196] }, { resize_mode: 'squash' });
  expect(await settingsOf({ 'open_clip_config.json': squeezed })).toMatchObject({
    size: { height: 196, width: 196 },
    imageMean: [0.48145466, 0.4578275, 0.40821073],
  });
  expect(await settingsOf({ 'open_clip_config.json': clip({}, undefined) })).toMatchObject({
    size: { shortestEdge: 224 },
  });
});

test('a preprocessor_config.json takes precedence', async () => {
  const files = { 'config.json': timm({}), 'preprocessor_config.json': { size: 32 } };
  expect(await settingsOf(files)).toMatchObject({ size: { height: 32, width: 32 }, doCenterCrop: false });
});

test.each([
  ['a border', { 'config.json': timm({ crop_mode: 'border' }) }],
  ['a border of open_clip', { 'open_clip_config.json': clip({}, { resize_mode: 'longest' }) }],
  ['a part above 1', { 'config.json': timm({ crop_pct: 1.1 }) }],
  ['a part that is no number', { 'config.json': timm({ crop_pct: '0.9' }) }],
  ['sizes that are no numbers', { 'config.json': timm({ input_size: [3, 'x', 224] }) }],
  ['sizes without limit', { 'config.json': timm({ input_size: [3, 1e9, 1e9] }) }],
  ['a filter that does not exist', { 'config.json': timm({ interpolation: 'random' }) }],
  ['a deviation of 0', { 'config.json': timm({ std: [0, 1, 1] }) }],
  ['a crop that is no square from the center', { 'config.json': timm({ input_size: [3, 210, 280] }) }],
])('refuses %s', async (_, files) => {
  await expect(settingsOf(files)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
});

test('a folder with a configuration of another kind has no image settings', async () => {
  await expect(settingsOf({ 'config.json': { model_type: 'eva' } })).rejects.toMatchObject({ code: 'MISSING_FILE' });
});

test('the start of a crop is rounded down, or half to even', () => {
  const row = (width: number): Parameters<typeof centerCrop>[0] => ({
    type: 'uint8',
    dims: [1, width, 3],
    data: Uint8Array.from({ length: width * 3 }, (_, index) => Math.floor(index / 3)),
  });
  const start = (width: number, rounding?: 'down' | 'half-even'): number | undefined =>
    centerCrop(row(width), { height: 1, width: 4 }, rounding).data[0];
  expect([start(5), start(7), start(9), start(11)]).toEqual([0, 1, 2, 3]);
  expect([5, 7, 9, 11].map((width) => start(width, 'half-even'))).toEqual([0, 2, 2, 4]);
});
