import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { type ModelVersion, readModelVersion } from './model-version.ts';

let folder = '';
let version: ModelVersion;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-model-version-'));
  await mkdir(join(folder, 'qformer_tokenizer'));
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'README.md', 'qformer_tokenizer/vocab.txt'])
    await writeFile(join(folder, name), 'old');
  version = await readModelVersion([folder, folder]);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const changed = (name: string): unknown =>
  expect.objectContaining({ code: 'MODEL_CHANGED', details: expect.objectContaining({ where: join(folder, name) }) });

test('is unchanged at first, and after changes of files that are not loaded', async () => {
  await version.requireUnchanged('all');
  await writeFile(join(folder, 'README.md'), 'longer');
  await writeFile(join(folder, 'generation_config.json'), '{}');
  await version.requireUnchanged('all');
});

test.each(['config.json', 'model.safetensors'])('names %s if it was replaced or deleted', async (name) => {
  await writeFile(join(folder, 'new'), 'old');
  await rename(join(folder, 'new'), join(folder, name));
  await expect(version.requireUnchanged('weights')).rejects.toEqual(changed(name));
  await rm(join(folder, name));
  await expect(version.requireUnchanged('all')).rejects.toEqual(changed(name));
});

test.each(['tokenizer.json', 'qformer_tokenizer/vocab.txt'])('names %s if all files count', async (name) => {
  await writeFile(join(folder, name), 'longer');
  await version.requireUnchanged('weights');
  await expect(version.requireUnchanged('all')).rejects.toEqual(changed(name));
});

test.each(['model.safetensors.index.json', 'model-00001-of-00002.safetensors'])(
  'names %s if it was added',
  async (name) => {
    await writeFile(join(folder, name), 'new');
    await expect(version.requireUnchanged('weights')).rejects.toEqual(changed(name));
  },
);
