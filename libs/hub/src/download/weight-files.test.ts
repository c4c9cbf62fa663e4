import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { INDEX_FILE } from '@blip2/files';
import type { HubServer, ServedRepository } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { hubTest, listing } from '../fixtures/hub-test.ts';
import { MODEL_ID, noise } from '../fixtures/tiny-repository.ts';
import { downloadModel, planDownload, verifyCachedModel } from '../index.ts';

type Files = ServedRepository['files'];

const indexOf = (...shards: readonly string[]): string =>
  JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(shards.map((name, index) => [`t${index}`, name])) });

async function serve(files: Files): Promise<{ server: HubServer; cacheDir: string }> {
  return hubTest({ repositories: { [MODEL_ID]: { files: { 'config.json': '{}', ...files } } } });
}

async function downloaded(cacheDir: string): Promise<string[]> {
  const lines = await listing(join(cacheDir, 'models--someone--tiny-blip2/snapshots'));
  return lines.map((line) => line.split(' -> ')[0]?.split('/').slice(1).join('/') ?? '');
}

describe('the weight files of a repository', () => {
  test.each([
    ['of an older client', ['pytorch_model-00001-of-00002.safetensors', 'pytorch_model-00002-of-00002.safetensors']],
    ['of any name', ['a.safetensors', 'b.safetensors']],
    ['in a subfolder', ['parts/one.safetensors', 'parts/two.safetensors']],
  ])('are the shards that the index names: %s', async (_, shards) => {
    const contents = Object.fromEntries(shards.map((name) => [name, noise(5000, name)]));
    const { cacheDir } = await serve({
      [INDEX_FILE]: indexOf(...shards),
      ...contents,
      // Another split, which the index does not name.
      'model-00001-of-00003.safetensors': noise(9000, 'other'),
      'model-00002-of-00003.safetensors': noise(9000, 'another'),
    });
    const { files } = await planDownload(MODEL_ID);
    expect(files.map(({ path }) => path).toSorted()).toEqual(['config.json', INDEX_FILE, ...shards].toSorted());
    const folder = await downloadModel(MODEL_ID);
    expect(await downloaded(cacheDir)).toEqual(['config.json', INDEX_FILE, ...shards].toSorted());
    expect(await readFile(join(folder, shards[1] ?? ''))).toEqual(contents[shards[1] ?? '']);
    expect(await downloadModel(MODEL_ID, { localFilesOnly: true })).toBe(folder);
    const states = await verifyCachedModel(cacheDir, MODEL_ID);
    expect(states.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  test('are the single file if both exist', async () => {
    const { cacheDir } = await serve({
      'model.safetensors': noise(5000, 'single'),
      [INDEX_FILE]: indexOf('a.safetensors'),
      'a.safetensors': noise(5000, 'a'),
    });
    await downloadModel(MODEL_ID);
    expect(await downloaded(cacheDir)).toEqual(['config.json', 'model.safetensors']);
  });

  test.each<[string, Files, string, string]>([
    ['that the repository lacks', { [INDEX_FILE]: indexOf('a.safetensors') }, 'MISSING_FILE', 'a.safetensors'],
    [
      'of which one is missing',
      { [INDEX_FILE]: indexOf('a.safetensors', 'b.safetensors'), 'a.safetensors': noise(2000, 'a') },
      'MISSING_FILE',
      'b.safetensors',
    ],
    [
      'that can run code',
      { [INDEX_FILE]: indexOf('pytorch_model.bin'), 'pytorch_model.bin': noise(2000, 'a') },
      'MISSING_FILE',
      'pickled',
    ],
    ['outside the repository', { [INDEX_FILE]: indexOf('../../config.json') }, 'UNSAFE_PATH', 'outside'],
    ['of no index', { [INDEX_FILE]: '{"weight_map":{}}' }, 'INVALID_CHECKPOINT', 'no tensors'],
    ['of an index that is not JSON', { [INDEX_FILE]: 'oops' }, 'INVALID_CHECKPOINT', 'not valid JSON'],
  ])('must exist: a download of shards %s fails and leaves nothing', async (_, files, code, named) => {
    const { cacheDir } = await serve(files);
    await expect(downloadModel(MODEL_ID)).rejects.toMatchObject({ code, message: expect.stringContaining(named) });
    expect((await readdir(cacheDir)).filter((name) => name.startsWith('models--'))).toEqual([]);
  });

  test('are read from the index in the cache, if it is intact', async () => {
    const { server } = await serve({ [INDEX_FILE]: indexOf('a.safetensors'), 'a.safetensors': noise(5000, 'a') });
    const folder = await downloadModel(MODEL_ID);
    const before = server.requests.length;
    await downloadModel(MODEL_ID);
    expect(server.requests.length).toBe(before + 1);
    await writeFile(join(folder, INDEX_FILE), indexOf('b.safetensors'));
    await expect(downloadModel(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining(INDEX_FILE),
    });
  });

  test('are refused if the index arrives with a wrong checksum', async () => {
    const { server } = await serve({ [INDEX_FILE]: indexOf('a.safetensors'), 'a.safetensors': noise(5000, 'a') });
    server.options = { ...server.options, fault: ({ path }) => (path.endsWith(INDEX_FILE) ? 'flip' : undefined) };
    await expect(downloadModel(MODEL_ID)).rejects.toMatchObject({ code: 'INTEGRITY_FAILED' });
  });
});
