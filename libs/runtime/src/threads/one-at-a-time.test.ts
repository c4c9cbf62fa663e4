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

/** Several threads that share only the file. */
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
  test('measures once for concurrent calls', async () => {
    const { ask, log } = threads({}, 3);
    expect(await Promise.all([1, 2, 3, 4].map(() => ask(join(folder, 'a/b/v.json'))))).toEqual([3, 3, 3, 3]);
    expect(log).toEqual({ measurements: 1, most: 1 });
    expect(await readdir(join(folder, 'a/b'))).toEqual([]);
  });

  test('looks for a result again after taking the lock', async () => {
    const { ask, log } = threads({ value: 5 });
    expect(await ask(join(folder, 'v.json'))).toBe(5);
    expect(log.measurements).toBe(0);
  });

  test('lets the next caller measure if there is no result, one after another', async () => {
    const { ask, log } = threads({});
    expect(await Promise.all([1, 2, 3].map(() => ask(join(folder, 'v.json'))))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(log).toEqual({ measurements: 3, most: 1 });
  });

  test('releases the lock after a failure', async () => {
    const failing = oneAtATime(
      join(folder, 'v.json'),
      async () => undefined,
      () => Promise.reject(new TypeError('no runtime')),
    );
    await expect(failing).rejects.toThrow('no runtime');
    expect(await readdir(folder)).toEqual([]);
  });

  test('takes over an abandoned lock', async () => {
    const lock = join(folder, 'v.json.lock');
    await writeFile(lock, '');
    await utimes(lock, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
    const { ask, log } = threads({}, 3);
    expect(await ask(join(folder, 'v.json'))).toBe(3);
    expect(log.measurements).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  test('measures without a lock if none can be created', async () => {
    await writeFile(join(folder, 'file'), '');
    const { ask, log } = threads({}, 3);
    expect(await Promise.all([ask(join(folder, 'file/v.json')), ask('/proc/nowhere/v.json')])).toEqual([3, 3]);
    expect(log.measurements).toBe(2);
  });
});
