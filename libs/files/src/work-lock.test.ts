import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { isAbandoned } from './abandoned.ts';
import { processName } from './process-identity.ts';
import { acquireLock, isAbandonedLock, LOCK_EXTENSION, type LockOptions } from './work-lock.ts';

vi.mock(import('./abandoned.ts'), async (original) => {
  const real = await original();
  return { ...real, isAbandoned: vi.fn(real.isAbandoned) };
});

const FOREIGN_OWNER = '00000000-1';
let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'work-lock-'));
  path = join(folder, `job${LOCK_EXTENSION}`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Name of a process of this machine that has ended. */
async function endedProcess(): Promise<string> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'close');
  return `${processName.split('-')[0]}-${child.pid}`;
}

/** Options whose waits call `onWait` instead of passing time. */
const options = (onWait: () => unknown, more: Partial<LockOptions> = {}): LockOptions => ({
  signal: undefined,
  isDone: async () => false,
  sleep: async () => void (await onWait()),
  ...more,
});
const neverWait = options(() => expect.fail('must not wait'));

describe('acquireLock', () => {
  test('creates the folder and a file that names this process, and removes the file on release', async () => {
    const deep = join(folder, 'a', 'b');
    const lock = await acquireLock(deep, 'job', neverWait);
    expect(await readFile(join(deep, `job${LOCK_EXTENSION}`), 'utf8')).toBe(processName);
    await lock?.release();
    expect(await readdir(deep)).toEqual([]);
  });
  test('waits until the lock is released', async () => {
    const first = await acquireLock(folder, 'job', neverWait);
    let waits = 0;
    const second = await acquireLock(
      folder,
      'job',
      options(() => (++waits === 3 ? first?.release() : undefined)),
    );
    expect(waits).toBe(3);
    expect(second).toBeDefined();
  });
  test('returns undefined if the work is done meanwhile, and leaves the other lock alone', async () => {
    await acquireLock(folder, 'job', neverWait);
    expect(
      await acquireLock(
        folder,
        'job',
        options(() => {}, { isDone: async () => true }),
      ),
    ).toBeUndefined();
    expect(await readdir(folder)).toHaveLength(1);
  });
  test('takes over the lock of a process that has ended', async () => {
    await writeFile(path, await endedProcess());
    await acquireLock(folder, 'job', neverWait);
    expect(await readFile(path, 'utf8')).toBe(processName);
  });
  test('puts back the lock of a process that took over the abandoned one first', async () => {
    await writeFile(path, await endedProcess());
    vi.mocked(isAbandoned).mockImplementationOnce(async () => {
      await writeFile(path, FOREIGN_OWNER);
      return true;
    });
    const seen: string[] = [];
    await acquireLock(
      folder,
      'job',
      options(async () => {
        seen.push(await readFile(path, 'utf8'));
        await rm(path);
      }),
    );
    expect(seen).toEqual([FOREIGN_OWNER]);
    expect(await readdir(folder)).toHaveLength(1);
  });
  test('waits for the lock of another machine', async () => {
    await writeFile(path, FOREIGN_OWNER);
    let waits = 0;
    await acquireLock(
      folder,
      'job',
      options(() => (++waits === 2 ? rm(path) : undefined)),
    );
    expect(waits).toBe(2);
  });
  test('rejects with the reason of the signal', async () => {
    await acquireLock(folder, 'job', neverWait);
    const controller = new AbortController();
    const reason = new Error('enough');
    await expect(
      acquireLock(
        folder,
        'job',
        options(() => controller.abort(reason), { signal: controller.signal }),
      ),
    ).rejects.toBe(reason);
  });
  test('release does not remove a lock that another process has taken over', async () => {
    const lock = await acquireLock(folder, 'job', neverWait);
    await writeFile(path, FOREIGN_OWNER);
    await lock?.release();
    expect(await readFile(path, 'utf8')).toBe(FOREIGN_OWNER);
  });
  test('counts as held where no file can be created', async () => {
    await writeFile(join(folder, 'file'), '');
    const lock = await acquireLock(join(folder, 'file'), 'job', neverWait);
    await expect(lock?.release()).resolves.toBeUndefined();
  });
});

describe('isAbandonedLock', () => {
  test('is true for a process that has ended and false for one that is running', async () => {
    await writeFile(path, await endedProcess());
    expect(await isAbandonedLock(path)).toBe(true);
    await writeFile(path, processName);
    await utimes(path, 0, 0);
    expect(await isAbandonedLock(path)).toBe(false);
  });
  test('goes by what was observed for other machines, not by age', async () => {
    await writeFile(path, FOREIGN_OWNER);
    await utimes(path, 0, 0);
    expect(await isAbandonedLock(path, 0)).toBe(false);
    for (let now = 10_000; now < 60_000; now += 10_000) expect(await isAbandonedLock(path, now)).toBe(false);
    expect(await isAbandonedLock(path, 60_000)).toBe(true);
  });
  test('is false if there is no lock', async () => {
    expect(await isAbandonedLock(path)).toBe(false);
  });
});
