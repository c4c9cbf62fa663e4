import { mkdir, symlink } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { describeRun } from './run-record.ts';

test('a record lists the files of the model, including broken links, which loading reports', async () => {
  const at = await temporaryFolder({});
  await mkdir(at('model'));
  await symlink('nothing', at('model/model-00001-of-00002.safetensors'));
  await symlink('model-00002-of-00002.safetensors', at('model/model-00002-of-00002.safetensors'));
  expect((await describeRun('caption', at('model'), { seed: 1 })).files).toEqual({
    'model-00001-of-00002.safetensors': -1,
    'model-00002-of-00002.safetensors': -1,
  });
});
