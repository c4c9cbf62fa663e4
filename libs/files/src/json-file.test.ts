import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import { type JsonFileRules, readJsonFile } from './json-file.ts';

const root = await mkdtemp(join(tmpdir(), 'json-file-'));
const rules: JsonFileRules = { code: 'INVALID_CONFIG', maxBytes: 20 };
let model = '';
let count = 0;

beforeEach(async () => {
  model = join(root, `${count++}`, 'model');
  await mkdir(join(model, 'inner'), { recursive: true });
});
afterAll(() => rm(root, { recursive: true }));

/** Creates a file next to the model folder, which must not be read. */
async function secret(content = '{"a":1}'): Promise<string> {
  await writeFile(join(model, '..', 'secret.json'), content);
  return '../secret.json';
}

describe('a JSON file of a model folder', () => {
  test('is read, also from a subfolder; undefined if it does not exist', async () => {
    await writeFile(join(model, 'inner', 'x.json'), '{"a":1}');
    expect(await readJsonFile(model, join('inner', 'x.json'), rules)).toEqual({ a: 1 });
    expect(await readJsonFile(model, 'y.json', rules)).toBeUndefined();
    expect(await readJsonFile(join(model, 'none'), 'y.json', rules)).toBeUndefined();
  });
  test.each([
    ['not JSON', '{'],
    ['an array', '[]'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['too large', '{"a":11111111111111111}'],
  ])('that is %s is refused', async (_, content) => {
    await writeFile(join(model, 'x.json'), content);
    await expect(readJsonFile(model, 'x.json', rules)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });
  test('that is a Git LFS pointer is reported as one, not as damaged', async () => {
    await writeFile(
      join(model, 'x.json'),
      `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 3558642\n`,
    );
    await expect(readJsonFile(model, 'x.json', { ...rules, maxBytes: 1000 })).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringMatching(/Git LFS pointer.*3558642 bytes.*git lfs pull/),
      details: { where: join(model, 'x.json') },
    });
  });
  test('that is a folder is refused', async () => {
    await expect(readJsonFile(model, 'inner', rules)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });
});

describe('links', () => {
  test('within the folder are followed, also to a parent folder', async () => {
    await writeFile(join(model, 'x.json'), '{"a":1}');
    await symlink('../x.json', join(model, 'inner', 'y.json'));
    expect(await readJsonFile(model, join('inner', 'y.json'), rules)).toEqual({ a: 1 });
  });
  test('into the blobs of the same Hugging Face cache are followed', async () => {
    const [snapshot, blobs] = ['snapshots/abc/inner', 'blobs'].map((path) => join(root, 'models--some--model', path));
    await Promise.all([snapshot, blobs].map((folder) => mkdir(folder!, { recursive: true })));
    await writeFile(join(blobs!, 'one'), '{"a":1}');
    await symlink('../../../blobs/one', join(snapshot!, 'x.json'));
    expect(await readJsonFile(join(snapshot!, '..'), join('inner', 'x.json'), rules)).toEqual({ a: 1 });
  });
  test('out of the folder are refused, also through a linked subfolder', async () => {
    await symlink(await secret(), join(model, 'x.json'));
    await expect(readJsonFile(model, 'x.json', rules)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    await symlink('..', join(model, 'up'));
    await expect(readJsonFile(model, join('up', 'secret.json'), rules)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
  test('that are broken are an error, unlike a file that does not exist', async () => {
    await symlink('nothing', join(model, 'x.json'));
    await expect(readJsonFile(model, 'x.json', rules)).rejects.toMatchObject({ code: 'MISSING_FILE' });
  });
});
