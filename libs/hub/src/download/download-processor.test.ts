import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DEFAULT_COMMIT, type HubServer } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { badBlobs, contents, hubTest, impatientIo, listing, servedContents } from '../fixtures/hub-test.ts';
import { PYTHON_CACHE, withOwnTree } from '../fixtures/python-cache.ts';
import { MODEL_ID, NEEDED_PATHS, PROCESSOR_PATHS, tinyRepository } from '../fixtures/tiny-repository.ts';
import { downloadModel, listCachedModels, resolveProcessorSource, verifyCachedModel } from '../index.ts';
import { downloadProcessor } from './download-model.ts';

const modelPaths = NEEDED_PATHS.filter((path) => !PROCESSOR_PATHS.includes(path));
const newCommit = 'f'.repeat(40);

/** The requested files, in order. */
function requestedFiles({ requests }: HubServer, from = 0): string[] {
  return requests
    .slice(from)
    .flatMap(({ path }) => /\/resolve\/[^/]+\/(.+)$/.exec(path)?.[1] ?? [])
    .toSorted();
}

/** Moves the branch to a commit with another configuration and another tokenizer. */
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
  test('requests only the files of processor and tokenizers', async () => {
    const { server, cacheDir } = await hubTest();
    const folder = await resolveProcessorSource(MODEL_ID);
    expect(requestedFiles(server)).toEqual(PROCESSOR_PATHS);
    expect(server.requests.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(20_000);
    expect((await listing(folder)).map((line) => line.split(' -> ')[0])).toEqual(PROCESSOR_PATHS);
    expect(await contents(folder, PROCESSOR_PATHS)).toEqual(servedContents(tinyRepository(), PROCESSOR_PATHS));
    expect(await badBlobs(cacheDir)).toEqual([]);
  });

  test('leaves a cache that a download of the model completes, each file downloaded once, as in Python', async () => {
    const { server, cacheDir } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID);
    const before = server.requests.length;
    expect(await downloadModel(MODEL_ID)).toBe(folder);
    expect(requestedFiles(server, before)).toEqual(modelPaths);
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
    expect(await listing(cacheDir)).toEqual(PYTHON_CACHE.map(withOwnTree));
  });

  test('uses the files of a cached model', async () => {
    const { server } = await hubTest();
    const folder = await downloadModel(MODEL_ID);
    const before = server.requests.length;
    expect(await downloadProcessor(MODEL_ID)).toBe(folder);
    expect(server.requests.slice(before).map(({ path }) => path)).toEqual([`/api/models/${MODEL_ID}/revision/main`]);
  });

  test('of a full commit hash sends no request the second time, and the model can still be downloaded', async () => {
    const { server } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID, { revision: DEFAULT_COMMIT });
    const before = server.requests.length;
    expect(await downloadProcessor(MODEL_ID, { revision: DEFAULT_COMMIT })).toBe(folder);
    expect(server.requests.length).toBe(before);
    await downloadModel(MODEL_ID, { revision: DEFAULT_COMMIT });
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
  });

  test('accepts a repository with only a tokenizer', async () => {
    await hubTest({ repositories: { [MODEL_ID]: { files: { 'tokenizer.json': '{}', 'pytorch_model.bin': 'x' } } } });
    expect(await readdir(await downloadProcessor(MODEL_ID))).toEqual(['tokenizer.json']);
  });

  test('resumes after an abort', async () => {
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
    expect(await contents(await downloadProcessor(MODEL_ID), PROCESSOR_PATHS)).toEqual(
      servedContents(tinyRepository(), PROCESSOR_PATHS),
    );
    expect(await badBlobs(cacheDir)).toEqual([]);
  });

  test.each([
    ['an unknown id', 'nobody/nothing', {}, 'NOT_FOUND', 'no such folder, and'],
    ['an unknown revision', MODEL_ID, { revision: 'other' }, 'NOT_FOUND', 'no such revision'],
    ['no network and nothing in the cache', MODEL_ID, { localFilesOnly: true }, 'OFFLINE', 'not in the cache'],
    ['a repository without processor', 'someone/weights', {}, 'MISSING_FILE', 'tokenizer.json'],
    ['a path that does not exist', './no/model', {}, 'MISSING_FILE', 'does not exist'],
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
  test('loads offline, but not as a model', async () => {
    const { server } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID);
    const before = server.requests.length;
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
    expect(server.requests.length).toBe(before);
  });

  test('is not a model without a listing either, as left by older Python clients', async () => {
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

  test('is used if the Hub is unreachable, but not as a model', async () => {
    const { server } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID);
    await server.close();
    expect(await downloadProcessor(MODEL_ID, {}, impatientIo)).toBe(folder);
    await expect(downloadModel(MODEL_ID, {}, impatientIo)).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' });
  });

  test('moves the ref, but never away from a complete model', async () => {
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

  test('is listed, and verified without weights', async () => {
    const { cacheDir } = await hubTest();
    const folder = await downloadProcessor(MODEL_ID);
    expect(await listCachedModels(cacheDir)).toMatchObject([
      {
        id: MODEL_ID,
        incompleteBytes: 0,
        revisions: [{ commit: DEFAULT_COMMIT, refs: ['main'], files: PROCESSOR_PATHS.length }],
      },
    ]);
    const states = async (): Promise<[string, string][]> =>
      (await verifyCachedModel(cacheDir, MODEL_ID))
        .map(({ path, state }): [string, string] => [path, state])
        .toSorted();
    expect(await states()).toEqual(PROCESSOR_PATHS.map((path) => [path, 'ok']));
    await rm(join(folder, 'tokenizer.json'));
    expect(await states()).toEqual(PROCESSOR_PATHS.map((path) => [path, path === 'tokenizer.json' ? 'missing' : 'ok']));
  });
});
