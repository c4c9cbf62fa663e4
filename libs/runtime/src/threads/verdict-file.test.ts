import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  type Machine,
  readVerdict,
  thisMachine,
  VERDICT_LIFE_MS,
  verdictFile,
  verdictFolder,
  writeVerdict,
} from './verdict-file.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-threads-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const machine: Machine = {
  processors: 4,
  quota: undefined,
  model: 'A',
  flags: 'flags : avx2',
  runtime: '1.30.0 linux x64',
};
const timings = [{ threads: 1, byteMs: 3, floatMs: 2, promptMs: 1, blockMs: 1, readMs: 1 }];
const rowTimings = [{ rows: 4, blockMs: 1, byteMs: 2 }];
const threads = { encoder: 3, prompt: 3, decode: 2, fewRows: 8 };

describe('a saved verdict', () => {
  test('is found again, and no other file is left', async () => {
    const file = verdictFile(join(folder, 'a/b'), machine);
    await writeVerdict(file, { threads, timings, rowTimings });
    expect(await readVerdict(file, machine)).toEqual({ threads, timings, rowTimings });
    expect(await readdir(dirname(file))).toEqual([file.slice(dirname(file).length + 1)]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ threads, timings, rowTimings });
  });

  test.each([
    ['{', 'no JSON'],
    ['null', 'null'],
    ['{}', 'nothing in it'],
    ['{"threads":2}', 'one number'],
    ['{"threads":{"encoder":1,"prompt":1,"decode":1}}', 'no rows'],
    ['{"threads":{"encoder":"2","prompt":1,"decode":1,"fewRows":4}}', 'text'],
    ['{"threads":{"encoder":1,"prompt":0,"decode":1,"fewRows":4}}', 'no thread'],
    ['{"threads":{"encoder":1,"prompt":1,"decode":1.5,"fewRows":4}}', 'a part of a thread'],
    ['{"threads":{"encoder":5,"prompt":1,"decode":1,"fewRows":4}}', 'more threads than processors'],
    ['', 'empty'],
  ])('is not read from %s: %s', async (text) => {
    const file = join(folder, 'damaged.json');
    const json = text.startsWith('{"') ? text.replace(/\}$/, `,"measuredAt":${Date.now()}}`) : text;
    await writeFile(file, json);
    expect(await readVerdict(file, machine)).toBeUndefined();
  });

  test.each([
    [0, true],
    [VERDICT_LIFE_MS / 2, true],
    [VERDICT_LIFE_MS + 1000, false],
    [-60_000, false],
    [NaN, false],
  ])('%i ms old: %s', async (age, isRead) => {
    const file = join(folder, 'old.json');
    await writeFile(
      file,
      JSON.stringify({ threads, timings, rowTimings: [null, { rows: '4' }], measuredAt: Date.now() - age }),
    );
    expect(await readVerdict(file, machine)).toEqual(isRead ? { threads, timings, rowTimings: [] } : undefined);
  });

  test('is undefined without a file', async () => {
    expect(await readVerdict(join(folder, 'none.json'), machine)).toBeUndefined();
    expect(await readVerdict(folder, machine)).toBeUndefined();
  });

  test('is ignored if it cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    for (const place of [join(folder, 'file'), '/proc/nowhere/cache']) {
      await expect(
        writeVerdict(verdictFile(place, machine), { threads, timings, rowTimings }),
      ).resolves.toBeUndefined();
    }
    const occupied = join(folder, 'occupied.json');
    await mkdir(join(occupied, 'inner'), { recursive: true });
    await writeVerdict(occupied, { threads, timings, rowTimings });
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test.skipIf(process.getuid?.() === 0)('is forgotten where nothing may be written', async () => {
    const locked = join(folder, 'locked');
    await mkdir(locked);
    await chmod(locked, 0o500);
    await writeVerdict(verdictFile(locked, machine), { threads, timings, rowTimings });
    expect(await readdir(locked)).toEqual([]);
  });
});

describe('the file', () => {
  test('is a different one for everything that the number depends on', () => {
    const others: readonly Machine[] = [
      machine,
      { ...machine, processors: 2 },
      { ...machine, quota: 1.5 },
      { ...machine, quota: 2 },
      { ...machine, topology: { allowed: '0-3', kinds: [{ name: 'core', cores: 4, processors: 4 }] } },
      { ...machine, topology: { allowed: '4-7', kinds: [{ name: 'core', cores: 4, processors: 4 }] } },
      { ...machine, topology: { allowed: '0-3', kinds: [{ name: 'core', cores: 2, processors: 4 }] } },
      { ...machine, model: 'B' },
      { ...machine, model: undefined },
      { ...machine, flags: 'flags : avx2 avx512_vnni' },
      { ...machine, flags: undefined },
      { ...machine, runtime: '1.31.0 linux x64' },
    ];
    expect(new Set(others.map((each) => verdictFile('/cache', each))).size).toBe(others.length);
    expect(verdictFile('/cache', { ...machine })).toBe(verdictFile('/cache', machine));
  });

  test('is next to converted weights', () => {
    expect(verdictFolder({ BLIP2_CACHE: '/own', XDG_CACHE_HOME: '/xdg' })).toBe(join('/own', 'threads'));
    expect(verdictFolder({ BLIP2_CACHE: '', XDG_CACHE_HOME: '/xdg' })).toBe(join('/xdg', 'blip2', 'threads'));
    expect(verdictFolder({})).toBe(join(homedir(), '.cache', 'blip2', 'threads'));
  });

  test('of this machine', () => {
    const usable = { processors: 2, quota: 1.5 };
    expect(thisMachine(usable)).toMatchObject({
      ...usable,
      runtime: expect.stringMatching(/^\d+\.\d+\.\d+ \w+ \w+$/) as string,
    });
  });
});
