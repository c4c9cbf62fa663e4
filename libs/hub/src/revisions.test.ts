import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { DEFAULT_COMMIT } from '@blip2/testing';
import { expect, test, vi } from 'vitest';

import { hubTest } from './fixtures/hub-test.ts';
import { MODEL_ID, tinyRepository } from './fixtures/tiny-repository.ts';
import { downloadModel, resolveCommit, resolveSource } from './index.ts';

test.each([
  ['id@commit', () => `${MODEL_ID}@${DEFAULT_COMMIT}`],
  ['the address of its page', (endpoint: string) => `${endpoint}/${MODEL_ID}/tree/main`],
])('a model is resolved by %s', async (_, sourceOf) => {
  const { server } = await hubTest();
  const folder = await downloadModel(MODEL_ID, { revision: DEFAULT_COMMIT });
  expect(await resolveSource(sourceOf(server.endpoint))).toBe(folder);
});

test('two different revisions are refused, one given twice is not', async () => {
  await hubTest();
  const source = `${MODEL_ID}@${DEFAULT_COMMIT}`;
  await expect(resolveSource(source, { revision: 'main' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { argument: 'revision' },
  });
  expect(await resolveSource(source, { revision: DEFAULT_COMMIT })).toContain(DEFAULT_COMMIT);
});

test('a model that was downloaded by commit, or copied without refs, is found offline', async () => {
  await hubTest();
  const folder = await downloadModel(MODEL_ID, { revision: DEFAULT_COMMIT });
  expect(await downloadModel(MODEL_ID, { localFilesOnly: true })).toBe(folder);
  await expect(downloadModel(MODEL_ID, { localFilesOnly: true, revision: 'v2' })).rejects.toMatchObject({
    code: 'OFFLINE',
    details: { where: folder, got: DEFAULT_COMMIT, fix: expect.stringContaining(`--revision ${DEFAULT_COMMIT}`) },
  });
  expect(await downloadModel(MODEL_ID, { localFilesOnly: true })).toBe(folder);
});

test('of several commits without refs none is chosen, and the message names them', async () => {
  const { server, cacheDir } = await hubTest();
  const other = 'f'.repeat(40);
  await downloadModel(MODEL_ID);
  server.options = { repositories: { [MODEL_ID]: { ...tinyRepository(), commit: other } } };
  await downloadModel(MODEL_ID);
  await rm(join(cacheDir, 'models--someone--tiny-blip2/refs'), { recursive: true });
  await expect(downloadModel(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({
    code: 'OFFLINE',
    details: { got: `${DEFAULT_COMMIT}, ${other}` },
  });
});

test('the commit of a model is known without downloading it', async () => {
  const { server } = await hubTest();
  expect(await resolveCommit(MODEL_ID)).toBe(DEFAULT_COMMIT);
  expect(server.requests.map(({ path }) => path)).toEqual([`/api/models/${MODEL_ID}/revision/main`]);
  await expect(resolveCommit(MODEL_ID, { localFilesOnly: true })).rejects.toMatchObject({ code: 'OFFLINE' });
  const folder = await downloadModel(MODEL_ID);
  expect(await resolveCommit(folder)).toBe(DEFAULT_COMMIT);
  expect(await resolveCommit(join(folder, '..'))).toBeUndefined();
  expect(await resolveCommit(MODEL_ID, { localFilesOnly: true })).toBe(DEFAULT_COMMIT);
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
  const io = { ...(await import('./client/hub-io.ts')).hubIo, sleep: async () => {} };
  expect(await resolveCommit(MODEL_ID, {}, io)).toBe(DEFAULT_COMMIT);
});
