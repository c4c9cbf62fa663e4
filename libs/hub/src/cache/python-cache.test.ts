import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { resolveFile, resolveFolder } from '@blip2/files';
import { DEFAULT_COMMIT } from '@blip2/testing';
import { describe, expect, test, vi } from 'vitest';

import { contents, hubTest, listing, servedContents } from '../fixtures/hub-test.ts';
import { PYTHON_CACHE, PYTHON_CACHE_WITHOUT_LINKS, withOwnTree } from '../fixtures/python-cache.ts';
import { MODEL_ID, NEEDED_PATHS, tinyRepository } from '../fixtures/tiny-repository.ts';
import { downloadModel } from '../index.ts';

const recordedTree = join(import.meta.dirname, '../fixtures/python-tree-cache.json');
const root = 'models--someone--tiny-blip2';

/** Recreates the recorded cache with the contents of the repository. */
async function recreate(cacheDir: string, lines: readonly string[]): Promise<void> {
  const { files } = tinyRepository();
  const byLink = new Map(
    lines.flatMap((line) => {
      const [path = '', target] = line.split(' -> ');
      return target === undefined ? [] : [[join(dirname(path), target), path.split(`${DEFAULT_COMMIT}/`)[1] ?? '']];
    }),
  );
  for (const line of lines) {
    const [path = '', target] = line.split(' -> ');
    await mkdir(dirname(join(cacheDir, path)), { recursive: true });
    if (target !== undefined) await symlink(target, join(cacheDir, path));
    else
      await writeFile(
        join(cacheDir, path),
        path.includes('refs/')
          ? DEFAULT_COMMIT
          : path.includes('trees/')
            ? await readFile(recordedTree)
            : (files[byLink.get(path) ?? path.split(`${DEFAULT_COMMIT}/`)[1] ?? ''] ?? ''),
      );
  }
}

describe('the cache of huggingface_hub', () => {
  test('is the layout that we write, link by link', async () => {
    const { cacheDir } = await hubTest();
    await downloadModel(MODEL_ID);
    expect(await listing(cacheDir)).toEqual(PYTHON_CACHE.map(withOwnTree));
    expect(await readFile(join(cacheDir, root, 'refs/main'), 'utf8')).toBe(DEFAULT_COMMIT);
    expect(await readFile(join(cacheDir, root, 'trees', `${DEFAULT_COMMIT}.blip2.json`), 'utf8')).toBe(
      await readFile(recordedTree, 'utf8'),
    );
  });

  test('is the layout that we write without links', async () => {
    const { cacheDir } = await hubTest();
    vi.stubEnv('HF_HUB_DISABLE_SYMLINKS', 'true');
    await downloadModel(MODEL_ID);
    expect(await listing(cacheDir)).toEqual(PYTHON_CACHE_WITHOUT_LINKS.map(withOwnTree));
  });

  test.each([
    ['with links', PYTHON_CACHE],
    ['without links', PYTHON_CACHE_WITHOUT_LINKS],
  ])('is read %s, without downloading anything again', async (_, lines) => {
    const { server, cacheDir } = await hubTest();
    await recreate(cacheDir, lines);
    const folder = await downloadModel(MODEL_ID, { localFilesOnly: true });
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
    expect(await downloadModel(MODEL_ID)).toBe(folder);
    expect(server.requests.map(({ path }) => path)).toEqual([`/api/models/${MODEL_ID}/revision/main`]);
    expect(await listing(cacheDir)).toEqual(lines);
  });

  test('of older clients, without a listing, is read', async () => {
    const { cacheDir } = await hubTest();
    await recreate(
      cacheDir,
      PYTHON_CACHE.filter((line) => !line.includes('trees/') && !line.includes('CACHEDIR')),
    );
    const folder = await downloadModel(MODEL_ID, { localFilesOnly: true });
    await rm(join(folder, NEEDED_PATHS[2] ?? ''));
    await expect(downloadModel(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({
      code: 'OFFLINE',
      message: expect.stringContaining(NEEDED_PATHS[2] ?? ''),
    });
  });

  test('keeps unfinished downloads of Python, which may be in progress', async () => {
    const { cacheDir } = await hubTest();
    const shard =
      PYTHON_CACHE.find((line) => line.includes('model-00001'))
        ?.split('/')
        .at(-1) ?? '';
    const theirs = join(cacheDir, root, 'blobs', `${shard}.0a1b2c3d.incomplete`);
    await mkdir(dirname(theirs), { recursive: true });
    await writeFile(theirs, 'half');
    await downloadModel(MODEL_ID);
    expect(await readFile(theirs, 'utf8')).toBe('half');
  });

  test('with blobs in the store shared by all repositories is read through both links', async () => {
    const { cacheDir, server } = await hubTest();
    const header = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    const weights = Buffer.concat([
      Buffer.from([header.length, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from(header),
      Buffer.alloc(4),
    ]);
    server.options = { repositories: { [MODEL_ID]: { files: { 'config.json': '{}', 'model.safetensors': weights } } } };
    const folder = await downloadModel(MODEL_ID);
    const [blob = ''] = (await listing(join(cacheDir, root, 'snapshots')))
      .filter((line) => line.includes('model.safetensors'))
      .map((line) => line.split('/').at(-1) ?? '');
    await mkdir(join(cacheDir, 'blobs/ab'), { recursive: true });
    await writeFile(join(cacheDir, 'blobs/ab', 'ab'.repeat(32)), weights);
    await rm(join(cacheDir, root, 'blobs', blob));
    await symlink(`../../blobs/ab/${'ab'.repeat(32)}`, join(cacheDir, root, 'blobs', blob));
    expect(await downloadModel(MODEL_ID, { localFilesOnly: true })).toBe(folder);
    expect(await readFile(await resolveFile(await resolveFolder(folder), 'model.safetensors'))).toEqual(weights);
  });
});
