import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { oneAtATime } from './one-at-a-time.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-one-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Several threads, of which nothing but the file is common. */
function threads(found: { value?: number }, measured?: number) {
  const log = { measurements: 0, most: 0 };
  let running = 0;
  return {
    log,
    ask: (file: string) =>
      oneAtATime(
        file,
        async () => found.value,
        async () => {
          log.measurements++;
          log.most = Math.max(log.most, ++running);
          await sleep(30);
          running -= 1;
          if (measured !== undefined) found.value = measured;
          return measured;
        },
      ),
  };
}

describe('oneAtATime', () => {
  test('measures once, and tells all who ask meanwhile', async () => {
    const { ask, log } = threads({}, 3);
    expect(await Promise.all([1, 2, 3, 4].map(() => ask(join(folder, 'a/b/v.json'))))).toEqual([3, 3, 3, 3]);
    expect(log).toEqual({ measurements: 1, most: 1 });
    expect(await readdir(join(folder, 'a/b'))).toEqual([]);
  });

  test('looks once more when it has the lock', async () => {
    const { ask, log } = threads({ value: 5 });
    expect(await ask(join(folder, 'v.json'))).toBe(5);
    expect(log.measurements).toBe(0);
  });

  test('the next one measures where nothing was found, one after the other', async () => {
    const { ask, log } = threads({});
    expect(await Promise.all([1, 2, 3].map(() => ask(join(folder, 'v.json'))))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(log).toEqual({ measurements: 3, most: 1 });
  });

  test('gives the lock back after a failure', async () => {
    const failing = oneAtATime(
      join(folder, 'v.json'),
      async () => undefined,
      () => Promise.reject(new TypeError('no runtime')),
    );
    await expect(failing).rejects.toThrow('no runtime');
    expect(await readdir(folder)).toEqual([]);
  });

  test('takes a lock over that somebody left', async () => {
    const lock = join(folder, 'v.json.lock');
    await writeFile(lock, '');
    await utimes(lock, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
    const { ask, log } = threads({}, 3);
    expect(await ask(join(folder, 'v.json'))).toBe(3);
    expect(log.measurements).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  test('measures without a lock where none can be made', async () => {
    await writeFile(join(folder, 'file'), '');
    const { ask, log } = threads({}, 3);
    expect(await Promise.all([ask(join(folder, 'file/v.json')), ask('/proc/nowhere/v.json')])).toEqual([3, 3]);
    expect(log.measurements).toBe(2);
  });
});
