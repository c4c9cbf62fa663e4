import { createHash } from 'node:crypto';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test, vi } from 'vitest';

import { type FakeRun, runFake } from '../../fixtures/fake-environment.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

const COMMIT = '0123456789'.repeat(4);

interface CacheTest {
  readonly folder: string;
  readonly run: (...argv: readonly string[]) => Promise<FakeRun>;
}

/** A cache with the models `one/a` and `two/b`, each a snapshot of one file. */
async function cacheTest(): Promise<CacheTest> {
  const folder = (await temporaryFolder())();
  vi.stubEnv('BLIP2_CACHE', join(folder, 'converted'));
  for (const name of ['one--a', 'two--b']) {
    const root = join(folder, 'hub', `models--${name}`);
    const content = `config of ${name}`;
    const etag = createHash('sha1').update(`blob ${content.length}\0${content}`).digest('hex');
    for (const each of ['blobs', 'refs', `snapshots/${COMMIT}`]) await mkdir(join(root, each), { recursive: true });
    await writeFile(join(root, 'blobs', etag), content);
    await writeFile(join(root, 'refs/main'), COMMIT);
    await symlink(`../../blobs/${etag}`, join(root, 'snapshots', COMMIT, 'config.json'));
  }
  const hub = join(folder, 'hub');
  return { folder: hub, run: (action, ...argv) => runFake(['cache', action ?? '', '--cache-dir', hub, ...argv]) };
}

/** Files that systems and people leave in a cache. */
async function addStrayFiles(hub: string): Promise<void> {
  const root = join(hub, 'models--one--a');
  for (const path of [
    join(hub, '.DS_Store'),
    join(hub, 'models--x'),
    join(hub, 'models--file--y'),
    join(root, 'snapshots/.DS_Store'),
    join(root, 'snapshots', 'f'.repeat(40)),
    join(root, 'blobs/.DS_Store'),
    join(root, 'refs/.DS_Store'),
    join(root, '.DS_Store'),
  ])
    await writeFile(path, 'left by a system');
  await mkdir(join(root, 'snapshots/main'));
  await mkdir(join(root, 'trees'));
}

test('files that are not part of the cache are neither models, nor revisions, nor pruned', async () => {
  const { folder, run } = await cacheTest();
  await addStrayFiles(folder);
  const listed = await run('ls');
  // The size is that on disk, which rm would free.
  expect(
    listed.stdout
      .replaceAll(/\t\d+ B/g, '')
      .split('\n')
      .slice(0, 2),
  ).toEqual(['one/a\t012345678901 (main)', 'two/b\t012345678901 (main)']);
  expect(listed.stdout).toContain('2 models, ');
  expect(await run('verify')).toMatchObject({
    exitCode: 0,
    stdout: 'one/a 012345678901: 1 of 1 files are intact\ntwo/b 012345678901: 1 of 1 files are intact\n',
    stderr: '',
  });
  expect(await run('prune', '--dry-run')).toMatchObject({ exitCode: 0, stdout: 'Would free 0 B\n' });
});

test('verify reports every damaged file, and continues with the next model', async () => {
  const { folder, run } = await cacheTest();
  const blobs = join(folder, 'models--one--a/blobs');
  const [etag = ''] = await readdir(blobs);
  await writeFile(join(blobs, etag), 'config of one==a');
  expect(await run('verify')).toMatchObject({
    exitCode: 1,
    stdout:
      'damaged\tone/a\tconfig.json\none/a 012345678901: 0 of 1 files are intact\n' +
      'two/b 012345678901: 1 of 1 files are intact\n',
  });
});

test('verify continues with the next model after one that fails', async () => {
  const { folder, run } = await cacheTest();
  await writeFile(join(folder, 'models--two--b/refs/v2'), COMMIT);
  const all = await run('verify', '--revision', 'v2');
  expect(all).toMatchObject({ exitCode: 1, stderr: '' });
  expect(all.stdout.split('\n')).toEqual([
    expect.stringMatching(/^unreadable\tone\/a\tMISSING_FILE: The model is not in the cache/),
    'two/b v2: 1 of 1 files are intact',
    '',
  ]);
  expect(await run('verify', '--revision', '../x')).toMatchObject({ exitCode: 2 });
});
