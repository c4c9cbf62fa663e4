import { cp, mkdir, open, readFile, rename, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { FAKE_THREADS, runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { describeRun } from './run-record.ts';

test('a record lists the files of the model, including broken links, which loading reports', async () => {
  const at = await temporaryFolder({});
  await mkdir(at('model'));
  await symlink('nothing', at('model/model-00001-of-00002.safetensors'));
  await symlink('model-00002-of-00002.safetensors', at('model/model-00002-of-00002.safetensors'));
  expect((await describeRun('caption', { source: at('model') }, { seed: 1 })).files).toEqual({
    'model-00001-of-00002.safetensors': -1,
    'model-00002-of-00002.safetensors': -1,
  });
});

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

test('a record names the commit of a hub id instead of its files', async () => {
  const at = await temporaryFolder({ [`models--a--b/snapshots/${COMMIT}/config.json`]: '{}' });
  const snapshot = at(`models--a--b/snapshots/${COMMIT}`);
  expect(await describeRun('caption', { source: 'a/b', snapshot }, {})).toEqual({
    command: 'caption',
    model: 'a/b',
    commit: COMMIT,
    files: {},
    options: {},
  });
});

test('a record tells weights of equal size and time apart, small and large', async () => {
  const at = await temporaryFolder({ 'small.safetensors': 'weights', 'large.safetensors': '' });
  await truncate(at('large.safetensors'), 80 * 2 ** 20);
  const keys = async (): Promise<readonly (string | -1 | undefined)[]> => {
    const { files } = await describeRun('caption', { source: at() }, {});
    return [files['small.safetensors'], files['large.safetensors']];
  };
  const before = await keys();
  await utimes(at('small.safetensors'), 1, 1);
  expect(await keys()).toEqual(before);
  await writeFile(at('small.safetensors'), 'weighty');
  const handle = await open(at('large.safetensors'), 'r+');
  await handle.write(Buffer.alloc(2 ** 20, 1), 0, 2 ** 20, 40 * 2 ** 20);
  await handle.close();
  const after = await keys();
  expect([after[0] === before[0], after[1] === before[1]]).toEqual([false, false]);
});

test('the name of a blob of the cache is its key', async () => {
  const blob = 'ab'.repeat(32);
  const at = await temporaryFolder({ [`blobs/${blob}`]: 'weights' });
  await mkdir(at('model'));
  await symlink(`../blobs/${blob}`, at('model/model.safetensors'));
  expect((await describeRun('caption', { source: at('model') }, {})).files).toEqual({ 'model.safetensors': blob });
});

describe('numbers of threads and rows', () => {
  const settingsOf = async (argv: readonly string[]): Promise<unknown> => {
    const { calls, exitCode } = await runFake([...argv]);
    expect(exitCode).toBe(0);
    const { threads, rows } = Object(calls.find(({ name }) => name === 'load')?.['settings']);
    return { threads, rows };
  };

  test('are recorded, and used again by a run that resumes', async () => {
    const at = await temporaryFolder({ 'in/a': 'a cat', 'in/b': 'a dog', 'in/c': 'a cow' });
    const argv = (...names: readonly string[]): string[] => [
      'caption',
      ...names.map((name) => at(`in/${name}`)),
      ...['-o', at('out.jsonl'), '--num-beams', '3'],
    ];
    expect(await settingsOf(argv('a', 'b'))).toEqual({ threads: undefined, rows: 6 });
    const record: unknown = JSON.parse(await readFile(at('out.jsonl.run.json'), 'utf8'));
    expect(record).toMatchObject({ numbers: { threads: FAKE_THREADS, rows: 6 } });
    expect(await settingsOf(argv('a', 'b', 'c'))).toEqual({ threads: FAKE_THREADS, rows: 6 });
    await writeFile(at('in/d'), 'a hen');
    expect(await settingsOf([...argv('a', 'd'), '--threads', '5'])).toEqual({ threads: 5, rows: 6 });
    expect(await settingsOf([...argv('a'), '--restart'])).toEqual({ threads: undefined, rows: 3 });
  });

  test('of a record without them, or with others than numbers, are chosen again', async () => {
    const at = await temporaryFolder({ 'in/a': 'a cat', 'in/b': 'a dog', 'in/c': 'a cow' });
    const argv = (name: string): string[] => ['caption', at('in/a'), at(`in/${name}`), '-o', at('out.csv')];
    await settingsOf(argv('a'));
    const file = at('out.csv.run.json');
    const record = Object(JSON.parse(await readFile(file, 'utf8'))) as Readonly<Record<string, unknown>>;
    await writeFile(file, JSON.stringify({ ...record, numbers: { threads: { decode: 0 }, rows: 'many' } }));
    expect(await settingsOf(argv('b'))).toEqual({ threads: undefined, rows: 1 });
    await writeFile(file, JSON.stringify({ ...record, numbers: undefined }));
    expect(await settingsOf(argv('c'))).toEqual({ threads: undefined, rows: 1 });
  });
});

describe('a run is not resumed', () => {
  test('with other weights of the same size, tokenizer or generation settings', async () => {
    for (const file of [
      'model.safetensors',
      'tokenizer.json',
      'generation_config.json',
      'qformer_tokenizer/vocab.txt',
    ]) {
      const at = await temporaryFolder({ 'in/a': 'a cat', [`model/${file}`]: 'first', [`other`]: 'later' });
      const argv = ['caption', '-m', at('model'), at('in/a'), '-o', at('out.jsonl')];
      expect((await runFake(argv)).exitCode).toBe(0);
      await rename(at('other'), at(`model/${file}`));
      const again = await runFake(argv);
      expect([again.exitCode, again.calls]).toEqual([2, []]);
      expect(again.stderr).toContain(`files.${file} was "`);
    }
  });

  test('with another commit of a hub id; the recorded commit is loaded', async () => {
    const later = COMMIT.replace(/^0/, '1');
    const repository = 'hub/models--toy--model';
    const at = await temporaryFolder({ 'in/a': 'a cat', [`${repository}/refs/main`]: COMMIT });
    for (const commit of [COMMIT, later]) await copyModel(at(`${repository}/snapshots/${commit}`));
    vi.stubEnv('HF_HUB_CACHE', at('hub'));
    onTestFinished(() => void vi.unstubAllEnvs());
    const argv = ['caption', '-m', 'toy/model', '--offline', at('in/a'), '-o', at('out.jsonl')];
    const run = await runFake(argv);
    expect([run.exitCode, run.calls[0]?.['source']]).toEqual([0, at(`${repository}/snapshots/${COMMIT}`)]);
    expect(JSON.parse(await readFile(at('out.jsonl.run.json'), 'utf8'))).toMatchObject({
      model: 'toy/model',
      commit: COMMIT,
    });
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, calls: [] });
    await writeFile(at(`${repository}/refs/main`), later);
    const again = await runFake(argv);
    expect([again.exitCode, again.calls]).toEqual([2, []]);
    expect(again.stderr).toContain(`commit was "${COMMIT}", is "${later}"`);
  });
});

/** Copies the demo model. */
async function copyModel(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await cp(fileURLToPath(new URL('../../models/blip2-opt-shapes', import.meta.url)), folder, { recursive: true });
}
