import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { LoadProgress } from '@blip2/interfaces';
import { DEFAULT_COMMIT } from '@blip2/testing';
import { describe, expect, test, vi } from 'vitest';

import { badBlobs, contents, hubTest, impatientIo, listing, servedContents } from '../fixtures/hub-test.ts';
import { MODEL_ID, NEEDED_PATHS, tinyRepository } from '../fixtures/tiny-repository.ts';
import { downloadModel, type DownloadPlan, planDownload, resolveSource } from '../index.ts';

describe('downloadModel', () => {
  test('downloads exactly the needed files, into a snapshot of links', async () => {
    const { cacheDir } = await hubTest();
    const folder = await downloadModel(MODEL_ID);
    expect(folder).toBe(join(cacheDir, 'models--someone--tiny-blip2', 'snapshots', DEFAULT_COMMIT));
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
    const names = await readdir(folder, { recursive: true, withFileTypes: true });
    expect(names.filter((name) => !name.isDirectory()).every((name) => name.isSymbolicLink())).toBe(true);
    expect((await listing(folder)).map((line) => line.split(' -> ')[0])).toEqual(NEEDED_PATHS);
    expect(await readFile(join(folder, '../../refs/main'), 'utf8')).toBe(DEFAULT_COMMIT);
    expect(await badBlobs(cacheDir)).toEqual([]);
    expect((await listing(cacheDir)).filter((line) => line.includes('incomplete'))).toEqual([]);
  });

  test('of a complete model only resolves the branch, and sends no request for a commit', async () => {
    const { server } = await hubTest();
    const folder = await downloadModel(MODEL_ID);
    const before = server.requests.length;
    expect(await downloadModel(MODEL_ID)).toBe(folder);
    expect(server.requests.slice(before).map(({ path }) => path)).toEqual([`/api/models/${MODEL_ID}/revision/main`]);
    expect(await downloadModel(MODEL_ID, { revision: DEFAULT_COMMIT })).toBe(folder);
    expect(server.requests.length).toBe(before + 1);
  });

  test('follows the pages of a listing', async () => {
    const { server } = await hubTest({ repositories: { [MODEL_ID]: tinyRepository() }, pageSize: 4 });
    expect(await contents(await downloadModel(MODEL_ID))).toEqual(servedContents(tinyRepository()));
    expect(server.requests.filter(({ path }) => path.includes('/tree/')).length).toBeGreaterThan(3);
  });

  test('downloads only changed files when the branch moves, and shares the others', async () => {
    const { server } = await hubTest();
    await downloadModel(MODEL_ID);
    const moved = { ...tinyRepository(), commit: 'f'.repeat(40) };
    server.options = {
      repositories: {
        [MODEL_ID]: { ...moved, files: { ...moved.files, 'config.json': '{"model_type":"blip-2","changed":1}' } },
      },
    };
    const before = server.requests.length;
    const folder = await downloadModel(MODEL_ID);
    expect(await readFile(join(folder, 'config.json'), 'utf8')).toContain('changed');
    expect(await contents(folder, NEEDED_PATHS.slice(1))).toEqual(
      servedContents(tinyRepository(), NEEDED_PATHS.slice(1)),
    );
    expect(
      server.requests
        .slice(before)
        .filter(({ path }) => /resolve|blob/.test(path))
        .map(({ path }) => path),
    ).toEqual([`/${MODEL_ID}/resolve/${'f'.repeat(40)}/config.json`]);
    expect(await readFile(join(folder, '../../refs/main'), 'utf8')).toBe('f'.repeat(40));
  });

  test('replaces a file of the wrong size without modifying the old one in place', async () => {
    const { cacheDir } = await hubTest();
    const folder = await downloadModel(MODEL_ID);
    const shard = join(folder, NEEDED_PATHS[2] ?? '');
    await truncate(shard, 1000);
    const before = await stat(shard);
    await downloadModel(MODEL_ID);
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
    expect((await stat(shard)).ino).not.toBe(before.ino);
    expect(await badBlobs(cacheDir)).toEqual([]);
  });

  test('reports sizes and licence before the first byte, and then every byte', async () => {
    const { server } = await hubTest();
    const plans: [DownloadPlan, number][] = [];
    const progress: LoadProgress[] = [];
    await downloadModel(MODEL_ID, {
      // The shard index is fetched for the plan: it names the files.
      onPlan: (plan) =>
        plans.push([
          plan,
          server.requests.filter(({ path }) => path.includes('/resolve/') && !path.endsWith('.index.json')).length,
        ]),
      onProgress: (each) => progress.push(each),
    });
    expect(plans.length).toBe(1);
    expect(plans[0]?.[1]).toBe(0);
    expect(plans[0]?.[0]).toMatchObject({ id: MODEL_ID, commit: DEFAULT_COMMIT, licence: 'mit' });
    expect(plans[0]?.[0].files.map(({ path }) => path).toSorted()).toEqual(NEEDED_PATHS);
    expect(plans[0]?.[0].missingBytes).toBe(plans[0]?.[0].totalBytes);
    for (const { path, size } of plans[0]?.[0].files ?? []) {
      const own = progress.filter(({ file }) => file === path);
      expect(own.at(-1)).toEqual({ stage: 'download', file: path, loaded: size, total: size });
      expect(own.map(({ loaded }) => loaded)).toEqual(own.map(({ loaded }) => loaded).toSorted((a, b) => a - b));
    }
    await downloadModel(MODEL_ID, { onPlan: (plan) => plans.push([plan, 0]) });
    expect(plans.length).toBe(1);
  });

  test('can be planned without writing anything', async () => {
    const { cacheDir } = await hubTest();
    const { files, totalBytes, missingBytes, freeBytes } = await planDownload(MODEL_ID);
    expect(files.map(({ path }) => path).toSorted()).toEqual(NEEDED_PATHS);
    expect(missingBytes).toBe(totalBytes);
    expect(freeBytes).toBeGreaterThan(0);
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test('prefers the single file to shards', async () => {
    const { server } = await hubTest();
    const both = tinyRepository();
    server.options = {
      repositories: { [MODEL_ID]: { ...both, files: { ...both.files, 'model.safetensors': 'one' } } },
    };
    const { files } = await planDownload(MODEL_ID);
    expect(files.map(({ path }) => path).filter((path) => path.startsWith('model'))).toEqual(['model.safetensors']);
  });

  test.each([
    ['only pickled weights', { 'config.json': '{}', 'pytorch_model.bin': 'x' }, /can run code/],
    ['no weights', { 'config.json': '{}' }, /no weights/],
    ['no configuration', { 'model.safetensors': 'x' }, /config\.json/],
  ])('refuses a repository with %s', async (_, files, named) => {
    await hubTest({ repositories: { [MODEL_ID]: { files } } });
    await expect(downloadModel(MODEL_ID)).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringMatching(named),
    });
  });

  test('resolves the source of a fromPretrained', async () => {
    await hubTest();
    expect(await contents(await resolveSource(MODEL_ID))).toEqual(servedContents(tinyRepository()));
    await expect(resolveSource('nobody/nothing')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('no such folder, and'),
    });
    await expect(resolveSource(MODEL_ID, { revision: 'other' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('no such revision'),
    });
  });

  test.each([
    ['nobody/nothing', 'NOT_FOUND', 'private repository needs a token'],
    ['../etc', 'INVALID_ARGUMENT', 'a repository id'],
    ['a/b/c', 'INVALID_ARGUMENT', 'a repository id'],
    ['a--b/c', 'INVALID_ARGUMENT', 'a repository id'],
  ])('refuses the id %j', async (id, code, named) => {
    await hubTest();
    await expect(downloadModel(id)).rejects.toMatchObject({ code, message: expect.stringContaining(named) });
  });

  test.each([
    ['other', 'NOT_FOUND'],
    ['../../../x', 'INVALID_ARGUMENT'],
    ['a//b', 'INVALID_ARGUMENT'],
    ['.hidden', 'INVALID_ARGUMENT'],
    ['a\\b', 'INVALID_ARGUMENT'],
  ])('refuses the revision %j', async (revision, code) => {
    await hubTest();
    await expect(downloadModel(MODEL_ID, { revision })).rejects.toMatchObject({ code });
  });
});

describe('without links', () => {
  test('stores the files in the snapshot itself, once', async () => {
    const { cacheDir } = await hubTest();
    vi.stubEnv('HF_HUB_DISABLE_SYMLINKS', '1');
    const folder = await downloadModel(MODEL_ID);
    expect(await listing(folder)).toEqual(NEEDED_PATHS);
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
    expect(await readdir(join(cacheDir, 'models--someone--tiny-blip2', 'blobs'))).toEqual([]);
  });

  test('copies cached blobs', async () => {
    const { server } = await hubTest();
    const folder = await downloadModel(MODEL_ID);
    await rm(folder, { recursive: true });
    vi.stubEnv('HF_HUB_DISABLE_SYMLINKS', '1');
    const before = server.requests.length;
    await downloadModel(MODEL_ID);
    expect(await listing(folder)).toEqual(NEEDED_PATHS);
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
    expect(server.requests.length).toBe(before + 1);
  });
});

describe('offline', () => {
  test.each([
    ['localFilesOnly', { localFilesOnly: true }, {}],
    ['HF_HUB_OFFLINE', {}, { HF_HUB_OFFLINE: '1' }],
    ['TRANSFORMERS_OFFLINE', {}, { TRANSFORMERS_OFFLINE: 'yes' }],
  ])('uses the cache and sends no request: %s', async (_, options, variables) => {
    const { server } = await hubTest();
    await expect(downloadModel(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining('not in the cache'),
    });
    const folder = await downloadModel(MODEL_ID);
    const before = server.requests.length;
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    expect(await downloadModel(MODEL_ID, options)).toBe(folder);
    await rm(join(folder, NEEDED_PATHS[3] ?? ''));
    await expect(downloadModel(MODEL_ID, options)).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining(NEEDED_PATHS[3] ?? ''),
    });
    await rm(join(folder, '../../trees'), { recursive: true });
    await rm(join(folder, 'config.json'));
    await expect(downloadModel(MODEL_ID, options)).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining('config.json'),
    });
    await expect(planDownload(MODEL_ID, options)).rejects.toMatchObject({ code: 'OFFLINE' });
    expect(server.requests.length).toBe(before);
  });

  test('falls back to the cache if the Hub is unreachable, and reports the failure if it is empty', async () => {
    const { server } = await hubTest();
    const folder = await downloadModel(MODEL_ID);
    await server.close();
    expect(await downloadModel(MODEL_ID, {}, impatientIo)).toBe(folder);
    await rm(folder, { recursive: true });
    await expect(downloadModel(MODEL_ID, {}, impatientIo)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('reads a read-only cache', async () => {
    await hubTest();
    const folder = await downloadModel(MODEL_ID);
    await rm(join(folder, '../../refs'), { recursive: true });
    await writeFile(join(folder, '../../refs'), 'in the way');
    expect(await downloadModel(MODEL_ID)).toBe(folder);
  });
});
