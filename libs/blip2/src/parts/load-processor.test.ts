import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2Config, readConfig } from '@blip2/config';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { loadProcessor, type ProcessorSource } from './load-processor.ts';

const model = join(import.meta.dirname, '../../../../apps/cli/models/blip2-opt-shapes');
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-processor-'));
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** A copy of the processor of the demo model with other fields in its configuration. */
async function copyWith(name: string, fields: Readonly<Record<string, unknown>>): Promise<ProcessorSource> {
  const folder = join(scratch, name);
  await cp(model, folder, { recursive: true, filter: (source) => !source.endsWith('.safetensors') });
  const json = JSON.parse(await readFile(join(model, 'config.json'), 'utf8')) as object;
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...json, ...fields }));
  const folders = { images: folder, processor: folder };
  return { folders, config: Blip2Config.fromJson(await readConfig(folder), folder) };
}

test('has one image token per query of the model', async () => {
  const processor = await loadProcessor(await copyWith('same', {}));
  expect([processor.numQueryTokens, processor.imageTokenId]).toEqual([12, 446]);
});

test('has no image tokens if the model has none, even if its files request them', async () => {
  expect((await loadProcessor(await copyWith('old', { image_token_index: null }))).numQueryTokens).toBeUndefined();
});

test('refuses a tokenizer with another image token', async () => {
  await expect(loadProcessor(await copyWith('other', { image_token_index: 5 }))).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    message: expect.stringMatching(/image_token_index 5.*446/) as string,
  });
});
