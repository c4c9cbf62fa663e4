import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { makeFolder } from './make-folder.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'blip2-folder-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

test('creates all missing parents and returns the first folder it created', async () => {
  const deep = join(root, 'a/b/c');
  expect(await makeFolder(deep)).toBe(join(root, 'a'));
  expect((await stat(deep)).isDirectory()).toBe(true);
  expect(await makeFolder(join(root, 'a/b/d'))).toBe(join(root, 'a/b/d'));
});

test('leaves existing folders and links to folders alone', async () => {
  await symlink(root, join(root, 'link'));
  expect(await makeFolder(root)).toBeUndefined();
  expect(await makeFolder(join(root, 'link'))).toBeUndefined();
  expect(await makeFolder('/')).toBeUndefined();
});

test('creates one folder for concurrent callers', async () => {
  const results = await Promise.all(Array.from({ length: 8 }, () => makeFolder(join(root, 'shared/by/all'))));
  expect(results.some((first) => first === join(root, 'shared'))).toBe(true);
  expect((await stat(join(root, 'shared/by/all'))).isDirectory()).toBe(true);
});

test('rejects if the path is a file, is below a file, or is a broken link', async () => {
  await writeFile(join(root, 'file'), '');
  await symlink(join(root, 'nothing/at/all'), join(root, 'dangling'));
  await expect(makeFolder(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeFolder(join(root, 'file/below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  await expect(makeFolder(join(root, 'dangling'))).rejects.toMatchObject({ code: 'EEXIST' });
});

test.runIf(process.platform === 'linux').each(['/proc/x', '/proc/x/y'])(
  'rejects where the system does not allow folders: %s',
  async (folder) => {
    await expect(makeFolder(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  },
);
