import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { cachedSnapshot } from './cached-snapshot.ts';

const COMMIT = '0123456789012345678901234567890123456789';
let cache = '';
let snapshot = '';
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'blip2-cached-adapter-'));
  snapshot = join(cache, 'models--me--lora/snapshots', COMMIT);
  await mkdir(snapshot, { recursive: true });
  await mkdir(join(cache, 'models--me--lora/refs'));
  await writeFile(join(cache, 'models--me--lora/refs/main'), COMMIT);
  await writeFile(join(snapshot, 'adapter_config.json'), '{}');
});
afterAll(() => rm(cache, { recursive: true, force: true }));

test('an adapter that Python downloaded is complete with its weights, without those of a model', async () => {
  const find = (): Promise<string> => cachedSnapshot(cache, 'me/lora', 'main', 'model');
  await expect(find()).rejects.toMatchObject({ code: 'OFFLINE', details: { got: 'no adapter_model.safetensors' } });
  await writeFile(join(snapshot, 'adapter_model.safetensors'), 'weights');
  expect(await find()).toBe(snapshot);
});

test('a model of open_clip that Python downloaded is complete with its own files', async () => {
  const folder = join(cache, 'models--me--clip/snapshots', COMMIT);
  await mkdir(folder, { recursive: true });
  await mkdir(join(cache, 'models--me--clip/refs'));
  await writeFile(join(cache, 'models--me--clip/refs/main'), COMMIT);
  await writeFile(join(folder, 'open_clip_config.json'), '{}');
  const find = (): Promise<string> => cachedSnapshot(cache, 'me/clip', 'main', 'model');
  await expect(find()).rejects.toMatchObject({ code: 'OFFLINE', details: { got: 'no model.safetensors' } });
  await writeFile(join(folder, 'open_clip_model.safetensors'), 'weights');
  expect(await find()).toBe(folder);
});
