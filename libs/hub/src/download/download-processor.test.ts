import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DEFAULT_COMMIT, type HubServer } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import {
  badBlobs,
  contents,
  hubTest,
  impatientIo,
  listing,
  MODEL_ID,
  NEEDED_PATHS,
  servedContents,
  tinyRepository,
} from '../fixtures/hub-test.ts';
import { PYTHON_CACHE } from '../fixtures/python-cache.ts';
import { downloadModel, listCachedModels, resolveProcessorSource, verifyCachedModel } from '../index.ts';
import { downloadProcessor } from './download-model.ts';

const processorPaths = [
  'preprocessor_config.json',
  'processor_config.json',
  'qformer_tokenizer/tokenizer.json',
  'qformer_tokenizer/vocab.txt',
  'tokenizer.json',
  'tokenizer_config.json',
];
const modelPaths = NEEDED_PATHS.filter((path) => !processorPaths.includes(path));
const newCommit = 'f'.repeat(40);

/** The files that were asked for, in order. */
function askedFor({ requests }: HubServer, from = 0): string[] {
  return requests
    .slice(from)
    .flatMap(({ path }) => /\/resolve\/[^/]+\/(.+)$/.exec(path)?.[1] ?? [])
    .toSorted();
}

/** The branch moves on to a commit with another configuration and another tokenizer. */
function move(server: HubServer): void {
  const { files } = tinyRepository();
  server.options = {
    repositories: {
      [MODEL_ID]: {
        ...tinyRepository(),
        commit: newCommit,
        files: { ...files, 'config.json': '{"changed":1}', 'tokenizer_config.json': '{"changed":1}' },
      },
    },
  };
}

describe('downloadProcessor', () => {
  test('asks for the files of processor and tokenizers only', async () => {
    const { server, cacheDir } = await hubTest();
    const folder = await resolveProcessorSource(MODEL_ID);
    expect(askedFor(server)).toEqual(processorPaths);
    expect(server.requests.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(20_000);
    expect((await listing(folder)).map((line) => line.split(' -> ')[0])).toEqual(processorPaths);
    expect(await contents(folder, processorPaths)).toEqual(servedContents(tinyRepository(), processorPaths));
    expect(await badBlobs(cacheDir)).toEqual([]);
  });

  test('leaves a cache that the download of the model completes, with nothing brought twice, to what Python writes', async () => {
    const { server, cacheDir } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID);
    const asked = server.requests.length;
    expect(await downloadModel(MODEL_ID)).toBe(folder);
    expect(askedFor(server, asked)).toEqual(modelPaths);
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
    expect(await listing(cacheDir)).toEqual(PYTHON_CACHE);
  });

  test('takes what a model in the cache has', async () => {
    const { server } = await hubTest();
    const folder = await downloadModel(MODEL_ID);
    const asked = server.requests.length;
    expect(await downloadProcessor(MODEL_ID)).toBe(folder);
    expect(server.requests.slice(asked).map(({ path }) => path)).toEqual([`/api/models/${MODEL_ID}/revision/main`]);
  });

  test('of a commit in full asks nothing the second time, and the model is still brought', async () => {
    const { server } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID, { revision: DEFAULT_COMMIT });
    const asked = server.requests.length;
    expect(await downloadProcessor(MODEL_ID, { revision: DEFAULT_COMMIT })).toBe(folder);
    expect(server.requests.length).toBe(asked);
    await downloadModel(MODEL_ID, { revision: DEFAULT_COMMIT });
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
  });

  test('takes a repository of a tokenizer alone', async () => {
    await hubTest({ repositories: { [MODEL_ID]: { files: { 'tokenizer.json': '{}', 'pytorch_model.bin': 'x' } } } });
    expect(await readdir(await downloadProcessor(MODEL_ID))).toEqual(['tokenizer.json']);
  });

  test('brings what is missing after it was called off', async () => {
    const { server, cacheDir } = await hubTest({
      repositories: { [MODEL_ID]: tinyRepository() },
      pace: { bytes: 200, pause: 20 },
    });
    const controller = new AbortController();
    const stopped = downloadProcessor(MODEL_ID, {
      signal: controller.signal,
      onProgress: ({ loaded, total }) => {
        if (loaded > 0 && loaded < total) controller.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    await expect(downloadProcessor(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({ code: 'OFFLINE' });
    server.options = { repositories: { [MODEL_ID]: tinyRepository() } };
    expect(await contents(await downloadProcessor(MODEL_ID), processorPaths)).toEqual(
      servedContents(tinyRepository(), processorPaths),
    );
    expect(await badBlobs(cacheDir)).toEqual([]);
  });

  test.each([
    ['an unknown id', 'nobody/nothing', {}, 'NOT_FOUND', 'no such folder, and'],
    ['an unknown revision', MODEL_ID, { revision: 'other' }, 'NOT_FOUND', 'no such revision'],
    ['no network and nothing in the cache', MODEL_ID, { localFilesOnly: true }, 'OFFLINE', 'not in the cache'],
    ['a repository without processor', 'someone/weights', {}, 'MISSING_FILE', 'tokenizer.json'],
    ['a path that leads nowhere', './no/model', {}, 'MISSING_FILE', 'does not exist'],
  ])('refuses %s', async (_, source, options, code, named) => {
    await hubTest({
      repositories: {
        [MODEL_ID]: tinyRepository(),
        'someone/weights': { files: { 'config.json': '{}', 'model.safetensors': 'x' } },
      },
    });
    await expect(resolveProcessorSource(source, options)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(named),
    });
  });
});

describe('a processor in the cache', () => {
  test('loads offline, and is no model', async () => {
    const { server } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID);
    const asked = server.requests.length;
    expect(await downloadProcessor(MODEL_ID, { localFilesOnly: true })).toBe(folder);
    await expect(downloadModel(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining('not complete'),
    });
    await rm(join(folder, 'tokenizer.json'));
    await expect(downloadProcessor(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining('no tokenizer.json'),
    });
    expect(server.requests.length).toBe(asked);
  });

  test('is no model without a listing either, as older Python clients leave it', async () => {
    await hubTest();
    const folder = await downloadProcessor(MODEL_ID);
    await rm(join(folder, '../../trees'), { recursive: true });
    await writeFile(join(folder, 'config.json'), '{}');
    expect(await downloadProcessor(MODEL_ID, { localFilesOnly: true })).toBe(folder);
    await expect(downloadModel(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining('no model.safetensors'),
    });
    for (const path of await readdir(folder)) await rm(join(folder, path), { recursive: true });
    await expect(downloadProcessor(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining('no tokenizer.json'),
    });
  });

  test('will do when the hub cannot be reached; a model will not be made of it', async () => {
    const { server } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID);
    await server.close();
    expect(await downloadProcessor(MODEL_ID, {}, impatientIo)).toBe(folder);
    await expect(downloadModel(MODEL_ID, {}, impatientIo)).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' });
  });

  test('takes the branch along, but never away from a whole model', async () => {
    const { server } = await hubTest();
    const [first, refs] = [
      await downloadProcessor(MODEL_ID),
      async () => readFile(join(first, '../../refs/main'), 'utf8'),
    ];
    move(server);
    const second = await downloadProcessor(MODEL_ID);
    expect([second.endsWith(newCommit), await refs()]).toEqual([true, newCommit]);
    await downloadModel(MODEL_ID);
    server.options = { repositories: { [MODEL_ID]: tinyRepository() } };
    expect(await downloadProcessor(MODEL_ID)).toBe(first);
    expect(await refs()).toBe(newCommit);
    expect(await downloadModel(MODEL_ID, { localFilesOnly: true })).toBe(second);
    expect(await downloadProcessor(MODEL_ID, { localFilesOnly: true })).toBe(second);
    expect(await downloadModel(MODEL_ID)).toBe(first);
    expect(await refs()).toBe(DEFAULT_COMMIT);
  });

  test('is listed, and sound without weights', async () => {
    const { cacheDir } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID);
    expect(await listCachedModels(cacheDir)).toMatchObject([
      {
        id: MODEL_ID,
        incompleteBytes: 0,
        revisions: [{ commit: DEFAULT_COMMIT, refs: ['main'], files: processorPaths.length }],
      },
    ]);
    const states = async (): Promise<[string, string][]> =>
      (await verifyCachedModel(cacheDir, MODEL_ID))
        .map(({ path, state }): [string, string] => [path, state])
        .toSorted();
    expect(await states()).toEqual(processorPaths.map((path) => [path, 'ok']));
    await rm(join(folder, 'tokenizer.json'));
    expect(await states()).toEqual(processorPaths.map((path) => [path, path === 'tokenizer.json' ? 'missing' : 'ok']));
  });
});
