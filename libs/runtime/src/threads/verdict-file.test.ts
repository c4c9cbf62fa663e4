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
const timings = [{ threads: 1, byteMs: 3, floatMs: 2 }];

describe('a kept verdict', () => {
  test('is found again, and nothing else is left', async () => {
    const file = verdictFile(join(folder, 'a/b'), machine);
    await writeVerdict(file, { threads: 3, timings });
    expect(await readVerdict(file, machine)).toBe(3);
    expect(await readdir(dirname(file))).toEqual([file.slice(dirname(file).length + 1)]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ threads: 3, timings });
  });

  test.each([
    ['{', 'no JSON'],
    ['null', 'null'],
    ['{}', 'nothing in it'],
    ['{"threads":"2"}', 'text'],
    ['{"threads":0}', 'no thread'],
    ['{"threads":1.5}', 'a part of a thread'],
    ['{"threads":5}', 'more threads than processors'],
    ['', 'empty'],
  ])('is not read from %s: %s', async (text) => {
    const file = join(folder, 'damaged.json');
    const json = text.startsWith('{"') ? text.replace('}', `,"measuredAt":${Date.now()}}`) : text;
    await writeFile(file, json);
    expect(await readVerdict(file, machine)).toBeUndefined();
  });

  test.each([
    [0, 2],
    [VERDICT_LIFE_MS / 2, 2],
    [VERDICT_LIFE_MS + 1000, undefined],
    [-60_000, undefined],
    [NaN, undefined],
  ])('%i ms old: %s', async (age, expected) => {
    const file = join(folder, 'old.json');
    await writeFile(file, JSON.stringify({ threads: 2, measuredAt: Date.now() - age }));
    expect(await readVerdict(file, machine)).toBe(expected);
  });

  test('is nothing where there is no file', async () => {
    expect(await readVerdict(join(folder, 'none.json'), machine)).toBeUndefined();
    expect(await readVerdict(folder, machine)).toBeUndefined();
  });

  test('is forgotten where it cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    for (const place of [join(folder, 'file'), '/proc/nowhere/cache']) {
      await expect(writeVerdict(verdictFile(place, machine), { threads: 2, timings })).resolves.toBeUndefined();
    }
    const occupied = join(folder, 'occupied.json');
    await mkdir(join(occupied, 'inner'), { recursive: true });
    await writeVerdict(occupied, { threads: 2, timings });
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test.skipIf(process.getuid?.() === 0)('is forgotten where nothing may be written', async () => {
    const locked = join(folder, 'locked');
    await mkdir(locked);
    await chmod(locked, 0o500);
    await writeVerdict(verdictFile(locked, machine), { threads: 2, timings });
    expect(await readdir(locked)).toEqual([]);
  });
});

describe('the file', () => {
  test('is another for all that the number depends on', () => {
    const others: readonly Machine[] = [
      machine,
      { ...machine, processors: 2 },
      { ...machine, quota: 1.5 },
      { ...machine, quota: 2 },
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
