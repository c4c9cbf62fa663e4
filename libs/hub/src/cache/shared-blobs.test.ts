import { createHash } from 'node:crypto';
import { chmod, link, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import { expect, test } from 'vitest';

import { listing, temporaryCache } from '../fixtures/hub-test.ts';
import { noise } from '../fixtures/tiny-repository.ts';
import { cacheSize, listCachedModels, planPrune, planRemoval, pruneCache, removeCachedModel } from '../index.ts';

const WEIGHTS = noise(50_000, 'weights');
const HASH = createHash('sha256').update('xet').update(WEIGHTS).digest('hex');
const ETAG = createHash('sha256').update(WEIGHTS).digest('hex');
const STORED = `blobs/${HASH.slice(0, 2)}/${HASH}`;
const commit = (digit: string): string => digit.repeat(40);

/** Adds a snapshot of a model whose weights are in the shared store, as huggingface_hub 1.33 writes it. */
async function addModel(cacheDir: string, name: string, revision: string = commit('1'), ref?: string): Promise<void> {
  const root = join(cacheDir, `models--${name.replace('/', '--')}`);
  const [snapshot, blob, config] = [join(root, 'snapshots', revision), join(root, 'blobs', ETAG), noise(100, name)];
  const configEtag = createHash('sha1').update(`blob ${config.length}\0`).update(config).digest('hex');
  for (const folder of [snapshot, dirname(blob), join(root, 'refs'), join(cacheDir, dirname(STORED))])
    await mkdir(folder, { recursive: true });
  await writeFile(join(cacheDir, 'blobs/.huggingface-shared-blobs'), '1\n');
  if (!(await stat(join(cacheDir, STORED)).catch(() => undefined)))
    await writeFile(join(cacheDir, STORED), WEIGHTS, { mode: 0o444 });
  await writeFile(join(cacheDir, `${STORED}.refs`), `${relative(cacheDir, blob)}\n`, { flag: 'a' });
  await symlink(relative(dirname(blob), join(cacheDir, STORED)), blob).catch(() => {});
  await writeFile(join(root, 'blobs', configEtag), config);
  await symlink(`../../blobs/${ETAG}`, join(snapshot, 'model.safetensors'));
  await symlink(`../../blobs/${configEtag}`, join(snapshot, 'config.json'));
  if (ref !== undefined) await writeFile(join(root, 'refs', ref), revision);
}

const store = async (cacheDir: string): Promise<string[]> =>
  (await readdir(join(cacheDir, dirname(STORED)))).toSorted();

test('weights in the shared store are freed with the last model that links to them', async () => {
  const cacheDir = await temporaryCache();
  await addModel(cacheDir, 'toy/a');
  await addModel(cacheDir, 'toy/b');
  const models = await listCachedModels(cacheDir);
  expect(models).toMatchObject([
    { id: 'toy/a', bytes: 50_100, sharedBytes: 50_000 },
    { id: 'toy/b', bytes: 50_100, sharedBytes: 50_000 },
  ]);
  expect(await cacheSize(cacheDir, models)).toEqual({ bytes: 50_200, unusedBytes: 0 });
  expect(await planRemoval(cacheDir, ['toy/b', 'toy/a'])).toEqual([
    { id: 'toy/b', bytes: 100 },
    { id: 'toy/a', bytes: 50_100 },
  ]);
  expect(await removeCachedModel(cacheDir, 'toy/b')).toBe(100);
  expect(await readFile(join(cacheDir, STORED))).toEqual(WEIGHTS);
  expect(await readFile(join(cacheDir, `${STORED}.refs`), 'utf8')).toBe(`models--toy--a/blobs/${ETAG}\n`);
  expect(await removeCachedModel(cacheDir, 'toy/a')).toBe(50_100);
  expect(await listing(cacheDir)).toEqual(['blobs/.huggingface-shared-blobs']);
});

test('pruning frees shared weights whose last user was an old snapshot, or a model that is gone', async () => {
  const cacheDir = await temporaryCache();
  await addModel(cacheDir, 'toy/a', commit('1'));
  const root = join(cacheDir, 'models--toy--a');
  await mkdir(join(root, 'snapshots', commit('2')));
  await writeFile(join(root, 'refs/main'), commit('2'));
  const plan = await planPrune(cacheDir);
  expect(plan.bytes).toBe(50_100);
  expect(plan.files).toContain(join(cacheDir, STORED));
  expect(await pruneCache(plan)).toBe(50_100);
  expect(await store(cacheDir)).toEqual([]);
  // What earlier versions left: a stored file whose links were deleted.
  await addModel(cacheDir, 'toy/b');
  await rm(join(cacheDir, 'models--toy--b'), { recursive: true });
  expect(await cacheSize(cacheDir, [])).toEqual({ bytes: 50_000, unusedBytes: 50_000 });
  expect(await planPrune(cacheDir)).toEqual({ files: [join(cacheDir, STORED)], bytes: 50_000 });
  expect(await pruneCache(await planPrune(cacheDir))).toBe(50_000);
  expect(await store(cacheDir)).toEqual([]);
});

test('pruning keeps shared weights that another model links to', async () => {
  const cacheDir = await temporaryCache();
  await addModel(cacheDir, 'toy/a', commit('1'));
  await addModel(cacheDir, 'toy/b', commit('1'), 'main');
  await mkdir(join(cacheDir, 'models--toy--a/snapshots', commit('2')));
  await writeFile(join(cacheDir, 'models--toy--a/refs/main'), commit('2'));
  const plan = await planPrune(cacheDir);
  expect(plan.bytes).toBe(100);
  expect(await pruneCache(plan)).toBe(100);
  expect(await store(cacheDir)).toEqual([HASH, `${HASH}.refs`]);
  expect(await readFile(join(cacheDir, `${STORED}.refs`), 'utf8')).toBe(`models--toy--b/blobs/${ETAG}\n`);
});

test.each<[string, (cacheDir: string) => Promise<void>]>([
  ['without a list of links', (cacheDir) => rm(join(cacheDir, `${STORED}.refs`))],
  [
    'with a list that is a folder',
    async (cacheDir) => {
      await rm(join(cacheDir, `${STORED}.refs`));
      await mkdir(join(cacheDir, `${STORED}.refs`));
    },
  ],
  ['in a store without a marker', (cacheDir) => rm(join(cacheDir, 'blobs/.huggingface-shared-blobs'))],
  ['in a store of another version', (cacheDir) => writeFile(join(cacheDir, 'blobs/.huggingface-shared-blobs'), '2\n')],
])('a stored file is kept and not counted as freed %s', async (_, change) => {
  const cacheDir = await temporaryCache();
  await addModel(cacheDir, 'toy/a');
  await change(cacheDir);
  expect(await planRemoval(cacheDir, ['toy/a'])).toEqual([{ id: 'toy/a', bytes: 100 }]);
  expect(await removeCachedModel(cacheDir, 'toy/a')).toBe(100);
  expect(await readFile(join(cacheDir, STORED))).toEqual(WEIGHTS);
  expect((await planPrune(cacheDir)).files).toEqual([]);
});

test('lines of the list that lead elsewhere are ignored', async () => {
  const cacheDir = await temporaryCache();
  await addModel(cacheDir, 'toy/a');
  const lines = ['', '../outside/blobs/x', '/etc/passwd', 'models--toy--gone/blobs/y', `models--toy--a/blobs/${ETAG}`];
  await writeFile(join(cacheDir, `${STORED}.refs`), lines.join('\n'));
  expect(await removeCachedModel(cacheDir, 'toy/a')).toBe(50_100);
});

test('hard links and links to other places free nothing until the last is gone', async () => {
  const cacheDir = await temporaryCache();
  await addModel(cacheDir, 'toy/a');
  const blobs = join(cacheDir, 'models--toy--a/blobs');
  await writeFile(join(cacheDir, 'elsewhere'), noise(3000, 'x'));
  await link(join(cacheDir, 'elsewhere'), join(blobs, 'a'.repeat(64)));
  await symlink('../../elsewhere', join(blobs, 'b'.repeat(64)));
  await chmod(join(cacheDir, 'elsewhere'), 0o444);
  expect(await removeCachedModel(cacheDir, 'toy/a')).toBe(50_100);
  expect((await stat(join(cacheDir, 'elsewhere'))).size).toBe(3000);
});

test('a model folder that is a link is not removed', async () => {
  const cacheDir = await temporaryCache();
  await addModel(cacheDir, 'toy/a');
  await symlink('models--toy--a', join(cacheDir, 'models--toy--b'));
  await expect(removeCachedModel(cacheDir, 'toy/b')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
