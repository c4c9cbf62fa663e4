import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { openCheckpoint } from '../index.ts';

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d7a'.repeat(16)}\nsize 9999999999\n`;
const shard = 'model-00001-of-00001.safetensors';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-lfs-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a Git LFS pointer in place of a file', () => {
  test.each([
    ['the weights', { 'model.safetensors': pointer }, 'model.safetensors'],
    [
      'the weights, with Windows line ends',
      { 'model.safetensors': pointer.replaceAll('\n', '\r\n') },
      'model.safetensors',
    ],
    [
      'a shard',
      { 'model.safetensors.index.json': JSON.stringify({ weight_map: { a: shard } }), [shard]: pointer },
      shard,
    ],
    ['the index', { 'model.safetensors.index.json': pointer, [shard]: pointer }, 'model.safetensors.index.json'],
  ])('is reported as one: %s', async (_, files, named) => {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    const error: unknown = await openCheckpoint(folder).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'INVALID_CHECKPOINT',
      details: {
        where: join(folder, named),
        expected: '9999999999 bytes',
        fix: expect.stringMatching(/git lfs pull.*blip2 download/),
      },
    });
    expect(error).toMatchObject({ message: expect.stringContaining('Git LFS pointer') });
  });
});
