import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import { commonFolder, findModelFile, resolveFile, resolveFolder } from './safe-path.ts';

const root = await realpath(await mkdtemp(join(tmpdir(), 'safe-path-')));
let folder = '';
let count = 0;

beforeEach(async () => {
  folder = join(root, `${count++}`, 'model');
  await create(join(folder, 'config.json'));
  await create(join(folder, '..', 'secret.json'));
});
afterAll(() => rm(root, { recursive: true }));

async function create(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, '{}');
  return path;
}

async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

describe('resolveFolder', () => {
  test('resolves links to a folder', async () => {
    await symlink(folder, join(root, `link-${count}`));
    expect(await resolveFolder(join(root, `link-${count}`))).toBe(folder);
  });
  test.each([
    ['config.json', 'not a folder'],
    ['nothing', 'does not exist'],
  ])('refuses %s', async (name, message) => {
    await expect(resolveFolder(join(folder, name))).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining(message),
    });
  });
});

describe('resolveFile', () => {
  test('accepts a plain file name', async () => {
    expect(await resolveFile(folder, 'config.json')).toBe(join(folder, 'config.json'));
  });
  test.each([
    '..',
    '.',
    '',
    '../secret.json',
    'sub/../../secret.json',
    '../model/config.json',
    './config.json',
    'sub//x.json',
    'sub/',
    '/etc/passwd',
    'sub\\x.json',
    'a\0b',
  ])('refuses the name %j, whether or not the file exists', async (name) => {
    await expect(resolveFile(folder, name)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
  // A shard index may name files in subfolders, as Hugging Face Transformers accepts them.
  test('accepts a file in a subfolder', async () => {
    await create(join(folder, 'sub', 'x.json'));
    expect(await resolveFile(folder, 'sub/x.json')).toBe(join(folder, 'sub', 'x.json'));
  });
  test('refuses a folder and a file that does not exist', async () => {
    await mkdir(join(folder, 'sub'));
    await expect(resolveFile(folder, 'sub')).rejects.toMatchObject({ code: 'INVALID_CHECKPOINT' });
    await expect(resolveFile(folder, 'none')).rejects.toMatchObject({ code: 'MISSING_FILE' });
  });
  test('follows links within the folder', async () => {
    await create(join(folder, 'sub', 'x.json'));
    await symlink('sub/x.json', join(folder, 'x.json'));
    expect(await resolveFile(folder, 'x.json')).toBe(join(folder, 'sub', 'x.json'));
  });
  test.each(['../secret.json', '/etc/hostname', '..', '.'])('refuses a link to %s', async (target) => {
    await symlink(target, join(folder, 'x.json'));
    await expect(resolveFile(folder, 'x.json')).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
  test('refuses a link into a folder whose name only begins with the same characters', async () => {
    await create(`${folder}-other/x.json`);
    await symlink('../model-other/x.json', join(folder, 'x.json'));
    await expect(resolveFile(folder, 'x.json')).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

describe('findModelFile', () => {
  test('finds files, also in subfolders, and returns undefined for others', async () => {
    await create(join(folder, 'sub', 'x.json'));
    expect(await findModelFile(folder, join('sub', 'x.json'))).toBe(join(folder, 'sub', 'x.json'));
    expect(await findModelFile(folder, 'none.json')).toBeUndefined();
    expect(await findModelFile(folder, join('config.json', 'below'))).toBeUndefined();
  });
  test.each(['../secret.json', 'sub/../../secret.json'])('refuses %s', async (path) => {
    await mkdir(join(folder, 'sub'));
    await expect(findModelFile(folder, path)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
  test('refuses a file through a linked folder outside', async () => {
    await symlink('..', join(folder, 'up'));
    await expect(findModelFile(folder, 'up/secret.json')).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

describe('links in a Hugging Face cache', () => {
  /** A snapshot whose `x.json` links to `target`, relative to the cache. */
  async function snapshotWith(target: string, name = 'x.json'): Promise<string> {
    const cache = join(root, `${count}`, 'hub');
    const snapshot = join(cache, 'models--a--b', 'snapshots', 'abc');
    await create(join(cache, target));
    await link(join(cache, target), join(snapshot, name));
    return snapshot;
  }

  test.each(['models--a--b/blobs/1', 'blobs/1', 'models--a--b/snapshots/def/x.json'])('lead to %s', async (target) => {
    const snapshot = await snapshotWith(target);
    expect(await resolveFile(snapshot, 'x.json')).toBe(join(snapshot, '../../..', target));
  });
  test('lead to a blob from a subfolder', async () => {
    const snapshot = await snapshotWith('models--a--b/blobs/1', 'sub/x.json');
    expect(await findModelFile(snapshot, 'sub/x.json')).toBe(join(snapshot, '../../blobs/1'));
  });
  test.each(['models--a--c/blobs/1', 'models--a--b2/blobs/1', 'token', 'blobs2/1', 'datasets--a/blobs/1'])(
    'do not lead to %s',
    async (target) => {
      await expect(resolveFile(await snapshotWith(target), 'x.json')).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    },
  );
});

describe('links from a folder elsewhere into a Hugging Face cache', () => {
  const sha = 'ab'.repeat(32);

  test.each([`models--a--b/blobs/${sha}`, `models--a--b/blobs/${'c'.repeat(40)}`, `blobs/ab/${sha}`])(
    'may lead to %s',
    async (target) => {
      const cache = join(root, `${count}`, 'hub');
      const file = await create(join(cache, target));
      await create(join(cache, 'blobs/.huggingface-shared-blobs'));
      await link(file, join(folder, 'model.safetensors'));
      expect(await resolveFile(folder, 'model.safetensors')).toBe(file);
      expect(await findModelFile(folder, 'model.safetensors')).toBe(file);
    },
  );
  test('may lead through a snapshot, and to a copy in one', async () => {
    const cache = join(root, `${count}`, 'hub');
    const snapshot = join(cache, 'models--a--b/snapshots', 'c'.repeat(40));
    const blob = await create(join(cache, 'models--a--b/blobs', sha));
    await link(`../../blobs/${sha}`, join(snapshot, 'model.safetensors'));
    const copy = await create(join(snapshot, 'config.json'));
    await link(join(snapshot, 'model.safetensors'), join(folder, 'one'));
    await link(copy, join(folder, 'two'));
    expect([await resolveFile(folder, 'one'), await resolveFile(folder, 'two')]).toEqual([blob, copy]);
  });
  test.each([
    `models--a--b/refs/main`,
    `models--a--b/blobs/${sha}.incomplete`,
    `models--a--b/blobs/${sha}/x`,
    `models--a--b/blobs/../secret`,
    `models--a--b/snapshots/main/x`,
    `datasets--a--b/blobs/${sha}`,
    `blobs/cd/${sha}`,
    `unmarked/blobs/ab/${sha}`,
    'token',
  ])('may not lead to %s', async (target) => {
    const cache = join(root, `${count}`, 'hub');
    await create(join(cache, 'blobs/.huggingface-shared-blobs'));
    await create(join(cache, target));
    await link(join(cache, target), join(folder, 'model.safetensors'));
    await expect(resolveFile(folder, 'model.safetensors')).rejects.toMatchObject({
      code: 'UNSAFE_PATH',
      details: { fix: expect.stringContaining('hard link') },
    });
  });
});

test('commonFolder is the deepest folder that contains all files', () => {
  expect(commonFolder(['/a/b/c'])).toBe('/a/b');
  expect(commonFolder(['/a/b/c', '/a/b/d/e'])).toBe('/a/b');
  expect(commonFolder(['/a/b/c', '/a/bc/d'])).toBe('/a');
  expect(commonFolder(['/a/b', '/c/d'])).toBe('/');
});
