import { execFileSync, spawn } from 'node:child_process';
import { chmod, link, lstat, mkdir, open, readdir, readFile, readlink, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';

import { describe, expect, test } from 'vitest';

import { type FakeRun, runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

type At = (name?: string) => string;

/** Every way in which a command writes to a path that the user names: its arguments, for an image and a path. */
const WRITERS: readonly [name: string, argv: (image: string, path: string) => string[]][] = [
  ['out.tsv', (image, path) => ['caption', image, '-o', path]],
  ['out.jsonl', (image, path) => ['caption', image, '-o', path]],
  ['out.csv', (image, path) => ['caption', image, '-o', path]],
  ['out.parquet', (image, path) => ['caption', image, '-o', path]],
  ['out.html', (image, path) => ['caption', image, '--report', path]],
  ['out.npy', (image, path) => ['embed', image, '-o', path]],
  ['out.safetensors', (image, path) => ['embed', image, '-o', path]],
  ['out.png', (image, path) => ['heatmap', image, '-o', path]],
];

/** What a run writes to a plain file, for comparison. */
async function plain(at: At, name: string, argv: (image: string, path: string) => string[]): Promise<Buffer> {
  await mkdir(at('plain'));
  expect((await runFake(argv(at('a'), at(`plain/${name}`)))).exitCode).toBe(0);
  return readFile(at(`plain/${name}`));
}

const leftovers = async (at: At): Promise<string[]> =>
  (await readdir(at())).filter((name) => /\.(tmp|lock)$/.test(name));

describe.each(WRITERS)('a path to %s that', (name, argv) => {
  test('is a symbolic link is followed, in several steps, and permissions are kept', async () => {
    const at = await temporaryFolder({ a: 'a cat', 'real/target': '' });
    const expected = await plain(at, name, argv);
    await chmod(at('real/target'), 0o640);
    await mkdir(at('links'));
    await symlink('../real/target', at('links/second'));
    await symlink(at('links/second'), at(name));
    const { exitCode, stderr } = await runFake(argv(at('a'), at(name)));
    expect([exitCode, stderr.includes('FAILED')]).toEqual([0, false]);
    expect([await readlink(at(name)), await readlink(at('links/second'))]).toEqual([
      at('links/second'),
      '../real/target',
    ]);
    expect(await readFile(at('real/target'))).toEqual(expected);
    expect((await stat(at('real/target'))).mode & 0o7777).toBe(0o640);
    expect(await leftovers(at)).toEqual([]);
    expect((await readdir(at('real'))).filter((each) => !/^target(\.run\.json)?$/.test(each))).toEqual([]);
  });

  test('is a link to nothing creates the target', async () => {
    const at = await temporaryFolder({ a: 'a cat', 'real/other': '' });
    const expected = await plain(at, name, argv);
    await symlink('real/target', at(name));
    expect((await runFake(argv(at('a'), at(name)))).exitCode).toBe(0);
    expect((await lstat(at(name))).isSymbolicLink()).toBe(true);
    expect(await readFile(at('real/target'))).toEqual(expected);
  });

  test('is a hard link keeps its other names', async () => {
    const at = await temporaryFolder({ a: 'a cat', other: '' });
    const expected = await plain(at, name, argv);
    await link(at('other'), at(name));
    expect((await runFake(argv(at('a'), at(name)))).exitCode).toBe(0);
    expect(await readFile(at('other'))).toEqual(expected);
    expect(await leftovers(at)).toEqual([]);
  });

  test('is a pipe is written to, once its reader opens it', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const expected = await plain(at, name, argv);
    execFileSync('mkfifo', [at(name)]);
    const running = runFake(argv(at('a'), at(name)));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const reader = spawn('cat', [at(name)]);
    const chunks: Buffer[] = [];
    for await (const chunk of reader.stdout) chunks.push(chunk);
    expect((await running).exitCode).toBe(0);
    expect(Buffer.concat(chunks)).toEqual(expected);
    expect((await lstat(at(name))).isFIFO()).toBe(true);
    expect((await readdir(at())).sort()).toEqual(['a', name, 'plain'].sort());
    expect((await readdir(tmpdir())).filter((each) => each.startsWith('blip2-output'))).toEqual([]);
  });

  test('is a pipe without a reader can be interrupted', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    execFileSync('mkfifo', [at(name)]);
    const { exitCode } = await runFake(argv(at('a'), at(name)), {
      onStart: (signals) => void setTimeout(() => signals.emit('SIGINT'), 200),
    });
    expect(exitCode).toBe(130);
    expect((await lstat(at(name))).isFIFO()).toBe(true);
  });

  test.each([
    ['a loop of links', async (at: At) => symlink(at(name), at(name)), 1, /^WRITE_FAILED/],
    ['a link into a folder that does not exist', async (at: At) => symlink('no/thing', at(name)), 1, /^WRITE_FAILED/],
    ['a link to a folder', async (at: At) => symlink('.', at(name)), 2, /^INVALID_ARGUMENT/],
  ])('is %s is refused before any work', async (_what, make, code, message) => {
    const at = await temporaryFolder({ a: 'a cat' });
    await make(at);
    const run = await runFake(argv(at('a'), at(name)));
    if (name === 'out.png' && code === 2) return;
    expect(run).toMatchObject({ exitCode: code, stdout: '', calls: [] });
    expect(run.stderr).toMatch(message);
  });
});

test('a pipe whose reader ends stops the run, like head', async () => {
  const images = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`in/${index}`, `${index}`]));
  const at = await temporaryFolder(images);
  execFileSync('mkfifo', [at('out.tsv')]);
  const reader = spawn('head', ['-1', at('out.tsv')]);
  const argv = ['caption', ...Object.keys(images).map(at), '-o', at('out.tsv'), '--batch-size', '1', '--quiet'];
  const run = await runFake(argv, {
    onCall: async ({ name }) => {
      if (name === 'caption') await new Promise((resolve) => setTimeout(resolve, 20));
    },
  });
  reader.kill();
  expect([run.exitCode, run.stderr]).toEqual([0, '']);
  expect(run.calls.filter(({ name }) => name === 'caption').length).toBeLessThan(40);
});

test('a device that is full fails with a code', async () => {
  const at = await temporaryFolder({ a: 'a cat' });
  // A node of its own: /dev/full itself is never named.
  try {
    execFileSync('mknod', [at('full.tsv'), 'c', '1', '7'], { stdio: 'ignore' });
    await (await open(at('full.tsv'), 'w')).close();
  } catch {
    return;
  }
  const run = await runFake(['caption', at('a'), '-o', at('full.tsv'), '--quiet']);
  expect(run.exitCode).toBe(1);
  expect(run.stderr).toMatch(/^WRITE_FAILED: The output cannot be written \(.*full\.tsv\): got ENOSPC/);
  expect((await lstat(at('full.tsv'))).isCharacterDevice()).toBe(true);
});

test('a run resumes through a link and through its target', async () => {
  const at = await temporaryFolder({ a: 'a cat', b: 'a dog', 'real/out.jsonl': '' });
  await symlink('real/out.jsonl', at('link.jsonl'));
  const captioned = ({ calls }: FakeRun): unknown => calls.find(({ name }) => name === 'caption')?.['images'];
  expect(captioned(await runFake(['caption', at('a'), '-o', at('link.jsonl')]))).toEqual(['a cat']);
  expect(captioned(await runFake(['caption', at('a'), at('b'), '-o', at('real/out.jsonl')]))).toEqual(['a dog']);
  expect(captioned(await runFake(['caption', at('a'), at('b'), '-o', at('link.jsonl')]))).toBeUndefined();
  expect((await readdir(at('real'))).sort()).toEqual(['out.jsonl', 'out.jsonl.run.json']);
});

test('sidecars follow links and keep permissions', async () => {
  const at = await temporaryFolder({ 'in/a.png': 'a cat', 'texts/a.txt': 'old' });
  await chmod(at('texts/a.txt'), 0o600);
  await symlink('../texts/a.txt', at('in/a.txt'));
  expect((await runFake(['caption', at('in/a.png'), '--sidecar', '--restart'])).exitCode).toBe(0);
  expect((await lstat(at('in/a.txt'))).isSymbolicLink()).toBe(true);
  expect(await readFile(at('texts/a.txt'), 'utf8')).toBe('a cat\n');
  expect((await stat(at('texts/a.txt'))).mode & 0o7777).toBe(0o600);
});

test('a file that the shell opened is appended to through its descriptor', async () => {
  const at = await temporaryFolder({ a: 'a cat', 'log.txt': 'first\n' });
  const handle = await open(at('log.txt'), 'r+');
  try {
    const run = await runFake(['caption', at('a'), '-o', `/proc/self/fd/${handle.fd}`]);
    expect(run).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining('FAILED') });
    expect(await readFile(at('log.txt'), 'utf8')).toBe(`first\n${at('a')}\ta cat\n`);
    expect(await readdir(at())).toEqual(['a', basename(at('log.txt'))]);
  } finally {
    await handle.close();
  }
});
