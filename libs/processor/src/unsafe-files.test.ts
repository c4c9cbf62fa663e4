import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import { BlipImageProcessor } from './blip-image-processor.ts';
import { Tokenizer } from './tokenizer/tokenizer.ts';

const root = await mkdtemp(join(tmpdir(), 'unsafe-files-'));
let model = '';
let count = 0;

beforeEach(async () => {
  model = join(root, `${count++}`, 'model');
  await mkdir(model, { recursive: true });
});
afterAll(() => rm(root, { recursive: true }));

/** Creates a file next to the model folder, which must not be read. */
async function secret(content = '{"a":1}'): Promise<string> {
  await writeFile(join(model, '..', 'secret.json'), content);
  return '../secret.json';
}

describe('the files of a processor', () => {
  test('Git LFS pointers are reported as such', async () => {
    await writeFile(
      join(model, 'tokenizer.json'),
      `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 3558642\n`,
    );
    await expect(Tokenizer.fromPretrained(model)).rejects.toMatchObject({
      code: 'INVALID_TOKENIZER',
      message: expect.stringMatching(/Git LFS pointer.*3558642 bytes.*git lfs pull/),
      details: { where: join(model, 'tokenizer.json') },
    });
  });
});

describe('symbolic links that lead out of the folder', () => {
  test.each(['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'])(
    'a tokenizer does not follow %s',
    async (name) => {
      await symlink(await secret(), join(model, name));
      await expect(Tokenizer.fromPretrained(model)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    },
  );
  test.each(['preprocessor_config.json', 'processor_config.json'])(
    'an image processor does not follow %s',
    async (name) => {
      await symlink(await secret(), join(model, name));
      await expect(BlipImageProcessor.fromPretrained(model)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    },
  );
});
