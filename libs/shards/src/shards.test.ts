import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { Blip2Error } from '@blip2/interfaces';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import {
  archiveInput,
  chooseShards,
  openFolderQueue,
  openRun,
  parseShardChoice,
  planShards,
  publishShard,
  readShardStats,
  type Shard,
  shardImages,
  type ShardOutput,
  type ShardRow,
  type ShardWork,
  workShards,
  writeManifest,
} from './index.ts';

const root = await mkdtemp(join(tmpdir(), 'shards-'));
afterAll(() => rm(root, { recursive: true }));
let folder = '';
let number = 0;
beforeEach(() => {
  folder = join(root, `${number++}`);
});

const exitOf = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.on('exit', resolve));
const namesOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}.jpg`);
const shardsOf = (count: number): Shard[] => planShards([{ kind: 'names', names: namesOf(count) }], 1);
const COLUMNS = [
  { name: 'image', type: 'string' },
  { name: 'error', type: 'string', optional: true },
] as const;
async function* rowsOf({ work }: Shard): AsyncGenerator<ShardRow> {
  for (const name of work.kind === 'names' ? work.names : []) yield { cells: [name, null] };
}

describe('inputs', () => {
  test('are split by their order alone, and archives stay apart', () => {
    const inputs = [
      { kind: 'names', names: namesOf(3) },
      { kind: 'names', names: ['x.jpg', 'y.jpg'] },
      { kind: 'archive', archive: 'a.tar', samples: 5 },
      { kind: 'archive', archive: 'b.tar.gz' },
      { kind: 'names', names: ['z.jpg'] },
    ] as const;
    const shards = planShards(inputs, 2);
    expect(shards.map(({ work }) => work)).toEqual([
      { kind: 'names', names: ['0.jpg', '1.jpg'] },
      { kind: 'names', names: ['2.jpg', 'x.jpg'] },
      { kind: 'names', names: ['y.jpg'] },
      { kind: 'archive', archive: 'a.tar', start: 0, end: 2 },
      { kind: 'archive', archive: 'a.tar', start: 2, end: 4 },
      { kind: 'archive', archive: 'a.tar', start: 4, end: 5 },
      { kind: 'archive', archive: 'b.tar.gz', start: 0, end: undefined },
      { kind: 'names', names: ['z.jpg'] },
    ]);
    expect(shards.map(({ name }) => name).slice(0, 2)).toEqual(['part-00000', 'part-00001']);
    expect(planShards(inputs, 2)).toEqual(shards);
    expect(planShards([{ kind: 'names', names: namesOf(2001) }]).map(({ work }) => work)).toMatchObject([
      { names: { length: 1000 } },
      { names: { length: 1000 } },
      { names: ['2000.jpg'] },
    ]);
  });
  test.each([0, -1, 1.5, NaN, 10_000_001])('are not split into shards of %d', (size) => {
    expect(() => planShards([{ kind: 'names', names: ['a'] }], size)).toThrow(/^shardSize must be/);
  });
  test('must not be empty', () => {
    expect(() => planShards([])).toThrow(/^inputs must be/);
    expect(() =>
      planShards([
        { kind: 'names', names: [] },
        { kind: 'archive', archive: 'a', samples: 0 },
      ]),
    ).toThrow(/^inputs must be/);
  });
});

describe('the images of a shard', () => {
  const archive = join(import.meta.dirname, '../../../examples/shapes.tar');
  const read = async (name: string): Promise<Uint8Array> =>
    name === '1.jpg'
      ? Promise.reject(new Blip2Error('MISSING_FILE', 'There is no such file', { where: name }))
      : Buffer.from(name);
  const all = async (work: ShardWork): Promise<string[]> => {
    const list: string[] = [];
    for await (const image of shardImages(work, { read }))
      list.push(
        `${image.name.replace(root, '').replace(archive, 'A')} ${'error' in image ? image.error.message : 'read'}`,
      );
    return list;
  };
  test('are one for each name, whatever happens to it', async () => {
    expect(await all({ kind: 'names', names: namesOf(3) })).toEqual([
      '0.jpg read',
      '1.jpg There is no such file (1.jpg)',
      '2.jpg read',
    ]);
  });
  test('are one for each sample of an archive, by ranges or in order', async () => {
    const input = await archiveInput(archive);
    expect(input).toEqual({ kind: 'archive', archive, samples: 6 });
    const shards = planShards([input], 4);
    const parts = await Promise.all(shards.map(({ work }) => all(work)));
    expect(parts.map((part) => part.length)).toEqual([4, 2]);
    expect(parts.flat()[3]).toBe('A/tall.jpg read');
    const compressed = `${folder}.tar.gz`;
    await writeFile(compressed, gzipSync(await readFile(archive)));
    expect(await archiveInput(compressed)).toEqual({ kind: 'archive', archive: compressed });
    const whole = await all({ kind: 'archive', archive: compressed, start: 0, end: undefined });
    expect(whole.map((line) => line.split('/').at(-1))).toEqual(parts.flat().map((line) => line.split('/').at(-1)));
    await expect(archiveInput('none.tar')).rejects.toMatchObject({ code: 'MISSING_FILE' });
  });
  test('of samples without an image are errors', async () => {
    const tar = await readFile(archive);
    // The first image becomes a link.
    const text = Buffer.from(tar.subarray(0, 512));
    text.write('2', 156);
    text.fill(' ', 148, 156);
    text.write(
      `${text
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    const size = Number.parseInt(tar.toString('latin1', 124, 135), 8);
    const file = `${folder}.tar`;
    await writeFile(file, Buffer.concat([text, tar.subarray(512 + Math.ceil(size / 512) * 512)]));
    const [first] = await all({ kind: 'archive', archive: file, start: 0, end: 1 });
    expect(first).toContain('four-objects.png The image is not read: it is a link');
  });
});

describe('one of several processes', () => {
  test.each([
    ['0/4', {}, { index: 0, count: 4 }],
    [' 3/4 ', {}, { index: 3, count: 4 }],
    ['4', { JOB_COMPLETION_INDEX: '3' }, { index: 3, count: 4 }],
    ['4', { SLURM_ARRAY_TASK_ID: '0' }, { index: 0, count: 4 }],
    ['4', { AWS_BATCH_JOB_ARRAY_INDEX: '1' }, { index: 1, count: 4 }],
    ['4', { JOB_COMPLETION_INDEX: '', SLURM_ARRAY_TASK_ID: '2' }, { index: 2, count: 4 }],
    ['1/4', { JOB_COMPLETION_INDEX: '3' }, { index: 1, count: 4 }],
  ])('is %s with %j', (text, variables, choice) => {
    expect(parseShardChoice(text, variables)).toEqual(choice);
  });
  test.each([
    ['5/2', {}],
    ['2/2', {}],
    ['0/0', {}],
    ['-1/2', {}],
    ['1/', {}],
    ['/2', {}],
    ['1/2/3', {}],
    ['a/b', {}],
    ['', {}],
    ['4', {}],
    ['0', { JOB_COMPLETION_INDEX: '0' }],
    ['4', { JOB_COMPLETION_INDEX: '4' }],
    ['4', { JOB_COMPLETION_INDEX: 'x' }],
  ])('is not %j with %j', (text, variables) => {
    expect(() => parseShardChoice(text, variables)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error,
    );
  });
  test('takes every N-th shard; together they take all', () => {
    const shards = shardsOf(10);
    const taken = [0, 1, 2].map((index) => chooseShards(shards, { index, count: 3 }).map((shard) => shard.index));
    expect(taken).toEqual([
      [0, 3, 6, 9],
      [1, 4, 7],
      [2, 5, 8],
    ]);
  });
});

describe('a run', () => {
  const shards = shardsOf(3);
  test('is the same for each process that joins it', async () => {
    const records = await Promise.all([1, 2, 3].map(() => openRun(folder, { task: 'caption', model: 'a' }, shards)));
    expect(new Set(records.map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect(await readdir(folder)).toEqual(['run.json']);
    const turned = await openRun(folder, { model: 'a', task: 'caption' }, shards);
    expect(turned.fingerprint).toBe(records[0]!.fingerprint);
  });
  test('refuses the folder of another one, and says what differs', async () => {
    await openRun(folder, { task: 'caption', model: 'a' }, shards);
    const other = openRun(folder, { task: 'ask', model: 'a' }, shards);
    await expect(other).rejects.toThrow(/another run .*another task/);
    await expect(openRun(folder, { task: 'caption', model: 'a' }, shardsOf(4))).rejects.toThrow(/other inputs/);
    await expect(other).rejects.toMatchObject({ code: 'OUTPUT_IN_USE' });
  });
  test('refuses a folder with other files', async () => {
    await mkdir(folder);
    await writeFile(join(folder, 'photo.jpg'), '');
    await expect(openRun(folder, {}, shards)).rejects.toMatchObject({ code: 'OUTPUT_IN_USE' });
    expect(await readdir(folder)).toEqual(['photo.jpg']);
  });
});

describe('the output of a shard', () => {
  const [shard] = shardsOf(1) as [Shard];
  const output = (): ShardOutput => ({
    folder,
    columns: COLUMNS,
    fingerprint: 'f',
    metadata: { 'blip2.task': 'caption' },
  });
  beforeEach(() => mkdir(folder));

  test('is a Parquet file with its fingerprint, and statistics', async () => {
    const rows: ShardRow[] = [{ cells: ['a', null] }, { cells: ['b', 'damaged'], code: 'INVALID_IMAGE' }];
    const stats = await publishShard(output(), shard, rows);
    expect(stats).toMatchObject({
      file: 'part-00000.parquet',
      rows: 2,
      errors: { INVALID_IMAGE: 1 },
      fingerprint: 'f',
    });
    expect((await readdir(folder)).toSorted()).toEqual(['part-00000.parquet', 'part-00000_stats.json']);
    const file = await asyncBufferFromFile(join(folder, stats.file));
    expect(await parquetReadObjects({ file })).toEqual([
      { image: 'a', error: null },
      { image: 'b', error: 'damaged' },
    ]);
    const { key_value_metadata: metadata } = await parquetMetadataAsync(file);
    expect(metadata).toEqual([
      { key: 'blip2.fingerprint', value: 'f' },
      { key: 'blip2.task', value: 'caption' },
    ]);
    expect(await readShardStats(folder, shard)).toEqual(stats);
  });
  test('is that of the first worker', async () => {
    const first = await publishShard(output(), shard, [{ cells: ['first', null] }]);
    const second = await publishShard(output(), shard, [{ cells: ['second', 'x'] }]);
    expect(second.sha256).toBe(first.sha256);
    const file = await asyncBufferFromFile(join(folder, first.file));
    expect(await parquetReadObjects({ file })).toEqual([{ image: 'first', error: null }]);
  });
  test('is not there if the shard fails, or is truncated', async () => {
    async function* failing(): AsyncGenerator<ShardRow> {
      yield { cells: ['a', null] };
      await Promise.reject(new TypeError('no'));
    }
    await expect(publishShard(output(), shard, failing())).rejects.toThrow('no');
    expect(await readdir(folder)).toEqual([]);
    expect(await readShardStats(folder, shard)).toBeUndefined();
    await publishShard(output(), shard, [{ cells: ['a', null] }]);
    await appendFile(join(folder, 'part-00000.parquet'), 'x');
    expect(await readShardStats(folder, shard)).toBeUndefined();
  });
});

describe('the queue in a folder', () => {
  test('hands each shard out once', async () => {
    const options = { shards: [0, 1, 2] };
    await using one = await openFolderQueue(folder, options);
    await using two = await openFolderQueue(folder, options);
    const claims = [await one.claim(), await two.claim(), await one.claim()];
    expect(claims.map((claim) => claim?.shard)).toEqual([0, 1, 2]);
    expect(await one.status()).toEqual({ total: 3, done: 0, claimed: 3, failed: [] });
    await one.complete(claims[0]!);
    await two.complete(claims[1]!);
    await one.complete(claims[2]!);
    expect(await two.claim()).toBeUndefined();
    expect(await two.status()).toEqual({ total: 3, done: 3, claimed: 0, failed: [] });
  });
  test('tries a shard again that failed, and then gives it up with the reason', async () => {
    await using queue = await openFolderQueue(folder, { shards: [7], maxAttempts: 2 });
    const failure = { code: 'DOWNLOAD_FAILED', message: 'no network' };
    for (const attempt of [1, 2]) {
      const claim = (await queue.claim())!;
      expect(claim).toMatchObject({ shard: 7, attempt });
      await queue.fail(claim, failure);
    }
    expect(await queue.claim()).toBeUndefined();
    expect(await queue.status()).toEqual({ total: 1, done: 0, claimed: 0, failed: [{ shard: 7, ...failure }] });
    expect(await queue.retryFailed()).toBe(1);
    expect(await queue.claim()).toMatchObject({ shard: 7, attempt: 1 });
  });
  test('does not count an attempt that is handed back', async () => {
    await using queue = await openFolderQueue(folder, { shards: [0], maxAttempts: 1 });
    for (let round = 0; round < 3; round++) {
      const claim = (await queue.claim())!;
      expect(claim.attempt).toBe(1);
      await queue.release(claim);
    }
  });
  test('takes the shard of a process that ended, and counts its attempt', async () => {
    await using queue = await openFolderQueue(folder, { shards: [0], maxAttempts: 2 });
    await writeFile(join(folder, 'part-00000.tries'), '.');
    // A process of this machine that has ended.
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '-e',
      "import { processName } from '@blip2/files'; process.stdout.write(processName)",
    ]);
    await writeFile(join(folder, 'part-00000.lease'), stdout);
    const claim = (await queue.claim())!;
    expect(claim).toMatchObject({ shard: 0, attempt: 2 });
    await queue.release(claim);
    await writeFile(join(folder, 'part-00000.tries'), '..');
    await writeFile(join(folder, 'part-00000.lease'), stdout);
    expect(await queue.claim()).toBeUndefined();
    expect((await queue.status()).failed).toMatchObject([{ shard: 0, code: 'WORKER_FAILED' }]);
  });
  test('waits for shards that others hold, and stops waiting at a signal', async () => {
    await using one = await openFolderQueue(folder, { shards: [0] });
    await using two = await openFolderQueue(folder, { shards: [0] });
    const claim = (await one.claim())!;
    const waiting = two.claim();
    await one.release(claim);
    expect((await waiting)?.shard).toBe(0);
    await expect(one.claim(AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'TimeoutError' });
  });
  test('tells a worker that lost its claim', async () => {
    await using queue = await openFolderQueue(folder, { shards: [0] });
    const claim = (await queue.claim())!;
    await queue.renew(claim);
    expect(claim.signal.aborted).toBe(false);
    await writeFile(join(folder, 'part-00000.lease'), 'another');
    await queue.renew(claim);
    expect(claim.signal.aborted).toBe(true);
  });
});

describe('workers', () => {
  const start = async (count: number): Promise<{ shards: Shard[]; output: ShardOutput; all: number[] }> => {
    const shards = shardsOf(count);
    const { fingerprint } = await openRun(folder, { task: 'caption' }, shards);
    return { shards, output: { folder, columns: COLUMNS, fingerprint }, all: shards.map(({ index }) => index) };
  };
  test('publish each shard once, skip published ones, and name what failed', async () => {
    const { shards, output, all } = await start(6);
    const computed: number[] = [];
    const work = async (broken: number[]): Promise<number> => {
      await using queue = await openFolderQueue(join(folder, '.queue'), { shards: all, maxAttempts: 1 });
      return workShards({
        queue,
        shards,
        output,
        async *compute(shard) {
          computed.push(shard.index);
          if (broken.includes(shard.index)) await Promise.reject(new TypeError('broken'));
          yield* rowsOf(shard);
        },
      });
    };
    expect(await work([2])).toBe(5);
    const run = await openRun(folder, { task: 'caption' }, shards);
    expect(await writeManifest(folder, run, shards)).toMatchObject({ rows: 5, missing: [2] });
    await rm(join(folder, '.queue'), { recursive: true });
    expect(await work([])).toBe(1);
    expect(computed).toEqual([0, 1, 2, 3, 4, 5, 2]);
    expect(await writeManifest(folder, run, shards)).toMatchObject({ rows: 6, missing: [] });
  });
  test('hand a shard back when they are stopped', async () => {
    const { shards, output, all } = await start(2);
    const controller = new AbortController();
    await using queue = await openFolderQueue(join(folder, '.queue'), { shards: all });
    const working = workShards({
      queue,
      shards,
      output,
      signal: controller.signal,
      async *compute(shard, signal) {
        controller.abort(new Error('stop'));
        signal.throwIfAborted();
        yield* rowsOf(shard);
      },
    });
    await expect(working).rejects.toThrow('stop');
    expect(await queue.status()).toMatchObject({ claimed: 0, done: 0, failed: [] });
    expect((await queue.claim())?.attempt).toBe(1);
  });
  test('that are killed at any moment leave the output of an undisturbed run', async () => {
    const program = join(import.meta.dirname, 'fixtures/shard-worker.mjs');
    const shards = 40;
    const run = (to: string): ChildProcess =>
      spawn(process.execPath, [program, to, String(shards)], { stdio: 'ignore' });
    const calm = `${folder}-calm`;
    expect(await exitOf(run(calm))).toBe(0);
    let isOver = false;
    let kills = 0;
    const keepWorking = async (): Promise<void> => {
      while (!isOver) {
        const worker = run(folder);
        const ended = exitOf(worker);
        const isKilled =
          kills < 20 && (await Promise.race([ended, sleep(150 + Math.random() * 400, 'kill')])) === 'kill';
        if (isKilled) {
          kills++;
          worker.kill('SIGKILL');
        }
        const code = await ended;
        if (code === 0) isOver = true;
        else expect(isKilled).toBe(true);
      }
    };
    await Promise.all([keepWorking(), keepWorking(), keepWorking()]);
    expect(kills).toBeGreaterThan(5);
    const files = (await readdir(calm)).filter((name) => name !== '.queue').toSorted();
    expect(files).toHaveLength(shards * 2 + 1);
    expect((await readdir(folder)).filter((name) => name !== '.queue' && !name.endsWith('.tmp')).toSorted()).toEqual(
      files,
    );
    for (const name of files) expect(await readFile(join(folder, name))).toEqual(await readFile(join(calm, name)));
  });
});
