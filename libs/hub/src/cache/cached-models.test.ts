import { readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DEFAULT_COMMIT } from '@blip2/testing';
import { describe, expect, test, vi } from 'vitest';

import {
  badBlobs,
  contents,
  type HubTest,
  hubTest,
  impatientIo,
  listing,
  servedContents,
} from '../fixtures/hub-test.ts';
import { MODEL_ID, NEEDED_PATHS, tinyRepository } from '../fixtures/tiny-repository.ts';
import {
  downloadModel,
  listCachedModels,
  planPrune,
  pruneCache,
  removeCachedModel,
  verifyCachedModel,
} from '../index.ts';

const blobs = 'models--someone--tiny-blip2/blobs';
const newCommit = 'f'.repeat(40);
const total = NEEDED_PATHS.reduce((sum, path) => sum + Buffer.from(tinyRepository().files[path] ?? '').length, 0);

/** A cache with two revisions of one model, the older one without a ref. */
async function movedBranch(): Promise<HubTest> {
  const test = await hubTest();
  await downloadModel(MODEL_ID);
  test.server.options = {
    repositories: {
      [MODEL_ID]: {
        ...tinyRepository(),
        commit: newCommit,
        files: { ...tinyRepository().files, 'config.json': '{"changed":1}' },
      },
      'other/model': tinyRepository(2000),
    },
  };
  await downloadModel(MODEL_ID);
  await downloadModel('other/model');
  return test;
}

describe('listCachedModels', () => {
  test('lists models, revisions, refs and sizes', async () => {
    const { cacheDir } = await movedBranch();
    const [tiny, other, ...more] = (await listCachedModels(cacheDir)).toReversed();
    expect(more).toEqual([]);
    expect(tiny?.id).toBe(MODEL_ID);
    expect(other?.id).toBe('other/model');
    expect(tiny).toMatchObject({
      bytes: total + 13,
      incompleteBytes: 0,
      revisions: [
        { commit: DEFAULT_COMMIT, refs: [], bytes: total, files: NEEDED_PATHS.length },
        { commit: newCommit, refs: ['main'], files: NEEDED_PATHS.length },
      ],
    });
  });

  test('counts files of caches without links and unfinished downloads', async () => {
    const { cacheDir } = await hubTest();
    vi.stubEnv('HF_HUB_DISABLE_SYMLINKS', '1');
    await downloadModel(MODEL_ID);
    await writeFile(join(cacheDir, blobs, `${'a'.repeat(64)}.0a1b2c3d.incomplete`), Buffer.alloc(1000));
    expect(await listCachedModels(cacheDir)).toMatchObject([{ bytes: total + 1000, incompleteBytes: 1000 }]);
  });

  test.each(['nowhere', 'README.md'])('is empty if there is no cache: %s', async (name) => {
    expect(await listCachedModels(join(import.meta.dirname, name))).toEqual([]);
  });
});

describe('verifyCachedModel', () => {
  test('finds every changed and every missing file', async () => {
    const { cacheDir } = await hubTest();
    const folder = await downloadModel(MODEL_ID);
    expect((await verifyCachedModel(cacheDir, MODEL_ID)).map(({ path, state }) => [path, state]).toSorted()).toEqual(
      NEEDED_PATHS.map((path) => [path, 'ok']),
    );
    const [config = '', , first = '', second = ''] = NEEDED_PATHS;
    const bytes = await readFile(join(folder, first));
    bytes[1234] = (bytes[1234] ?? 0) ^ 1;
    await writeFile(join(folder, first), bytes);
    await truncate(join(folder, second), 10);
    await rm(join(folder, config));
    await writeFile(join(folder, 'notes.txt'), 'mine');
    const states = new Map((await verifyCachedModel(cacheDir, MODEL_ID)).map(({ path, state }) => [path, state]));
    expect(states).toEqual(
      new Map([
        ...NEEDED_PATHS.map((path): [string, string] => [path, 'ok']),
        [first, 'damaged'],
        [second, 'damaged'],
        [config, 'missing'],
        ['notes.txt', 'unknown'],
      ]),
    );
    // Without a listing, blob names still give checksums, but missing files are not known.
    await rm(join(folder, '../../trees'), { recursive: true });
    const fromLinks = new Map(
      (await verifyCachedModel(cacheDir, MODEL_ID, { revision: DEFAULT_COMMIT })).map(({ path, state }) => [
        path,
        state,
      ]),
    );
    expect([fromLinks.get(first), fromLinks.get('tokenizer.json'), fromLinks.has(config)]).toEqual([
      'damaged',
      'ok',
      false,
    ]);
  });

  test('deletes damaged files, and the next download fetches exactly those', async () => {
    const { cacheDir, server } = await hubTest();
    const folder = await downloadModel(MODEL_ID);
    const shard = join(folder, NEEDED_PATHS[2] ?? '');
    const bytes = await readFile(shard);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await writeFile(shard, bytes);
    expect(await badBlobs(cacheDir)).toHaveLength(1);
    await verifyCachedModel(cacheDir, MODEL_ID, { removeDamaged: true });
    expect(await badBlobs(cacheDir)).toEqual([]);
    const before = server.requests.length;
    await downloadModel(MODEL_ID);
    expect(server.requests.slice(before).filter(({ host }) => host === 'storage')).toHaveLength(1);
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
  });

  test('can be aborted, and reports a model that is not in the cache', async () => {
    const { cacheDir } = await hubTest();
    await expect(verifyCachedModel(cacheDir, MODEL_ID)).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await downloadModel(MODEL_ID);
    await expect(verifyCachedModel(cacheDir, MODEL_ID, { revision: 'v2' })).rejects.toMatchObject({
      code: 'MISSING_FILE',
    });
    await expect(verifyCachedModel(cacheDir, '../..')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(verifyCachedModel(cacheDir, MODEL_ID, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('pruneCache', () => {
  test('deletes old commits and the blobs used only by them, and keeps the rest intact', async () => {
    const { cacheDir, server } = await movedBranch();
    const before = await listing(cacheDir);
    const plan = await planPrune(cacheDir);
    expect(plan.bytes).toBe(Buffer.from(tinyRepository().files['config.json'] ?? '').length);
    expect(await listing(cacheDir)).toEqual(before);
    await pruneCache(plan);
    expect((await listCachedModels(cacheDir)).map(({ revisions }) => revisions.map(({ commit }) => commit))).toEqual([
      [DEFAULT_COMMIT],
      [newCommit],
    ]);
    const requests = server.requests.length;
    const folder = await downloadModel(MODEL_ID);
    expect(server.requests.length).toBe(requests + 1);
    expect(await contents(folder, NEEDED_PATHS.slice(1))).toEqual(
      servedContents(tinyRepository(), NEEDED_PATHS.slice(1)),
    );
    expect(await badBlobs(cacheDir)).toEqual([]);
    expect(await planPrune(cacheDir)).toEqual({ files: [], bytes: 0 });
  });

  test('deletes abandoned downloads, and none that may be in progress', async () => {
    const { cacheDir } = await hubTest();
    await downloadModel(MODEL_ID);
    const file = (name: string): string => join(cacheDir, blobs, `${'a'.repeat(64)}.${name}.incomplete`);
    const [free, old, fresh] = [file('free-00000000'), file('0a1b2c3d'), file('0a1b2c3e')];
    for (const path of [free, old, fresh]) await writeFile(path, 'x');
    await utimes(old, 0, 0);
    const plan = await planPrune(cacheDir, {}, impatientIo);
    expect(plan.files.toSorted()).toEqual([free, old].toSorted());
  });

  test('keeps a model that was only requested by commit', async () => {
    const { cacheDir } = await hubTest();
    await downloadModel(MODEL_ID, { revision: DEFAULT_COMMIT });
    expect(await planPrune(cacheDir)).toEqual({ files: [], bytes: 0 });
  });
});

describe('removeCachedModel', () => {
  test('deletes one model and no other', async () => {
    const { cacheDir } = await movedBranch();
    expect(await removeCachedModel(cacheDir, MODEL_ID)).toBe(total + 13);
    expect((await listCachedModels(cacheDir)).map(({ id }) => id)).toEqual(['other/model']);
    await expect(removeCachedModel(cacheDir, MODEL_ID)).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await expect(removeCachedModel(cacheDir, '../other')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
