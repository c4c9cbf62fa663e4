import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { expect, test } from 'vitest';

import { processName } from './process-identity.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

test('createTemporaryFolder deletes the folders of processes that were killed, and no others', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'temporary-folder-'));
  const ended = `${processName.split('-')[0]}-9999999`;
  const killed = `blip2-random.${ended}.00112233.tmp`;
  const kept = [`other-random.${ended}.00112233.tmp`, `blip2-random.00000000-1.00112233.tmp`, 'blip2-random-abc'];
  for (const name of [killed, ...kept]) {
    await mkdir(join(parent, name));
    await writeFile(join(parent, name, 'model.safetensors'), 'large');
  }
  const folder = await createTemporaryFolder(parent, 'random');
  expect((await readdir(parent)).toSorted()).toEqual([...kept, basename(folder)].toSorted());
  expect(basename(folder)).toContain(`blip2-random.${processName}.`);
  await rm(parent, { recursive: true });
});

test('createTemporaryFolder rejects with WRITE_FAILED if the parent does not exist', async () => {
  await expect(createTemporaryFolder('/nowhere/at/all', 'random')).rejects.toMatchObject({ code: 'WRITE_FAILED' });
});
