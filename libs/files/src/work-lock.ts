import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { isError } from '@blip2/interfaces';

import { makeFolder } from './make-folder.ts';
import { isRunning, processName } from './process-identity.ts';

/** A lock held by this process. */
export interface WorkLock {
  /** Deletes the lock file. */
  release(): Promise<void>;
}

/** How `acquireLock` waits. */
export interface LockOptions {
  /** Waits between two attempts. Default: real time. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly signal: AbortSignal | undefined;
  /** Called while waiting: whether another process has finished the work, so that the lock is no longer needed. */
  readonly isDone: () => Promise<boolean>;
}

/** Milliseconds between two attempts. */
const POLL_INTERVAL = 200;
/** Milliseconds between two updates of the lock's modification time by its owner. */
const BEAT_INTERVAL = 5_000;
/** Milliseconds, on our own clock, after which an unchanged lock of another machine counts as abandoned. */
const ABANDONED_AFTER = 30_000;
/** The same for a single look at the lock: clocks of machines may differ, by less than this. */
const STALE_AFTER = 3_600_000;

/** Extension of lock files. Python's own locks, which may be in the same folder, do not use it. */
export const LOCK_EXTENSION = '.blip2.lock';

/**
 * Waits until no other process works on `name`, then takes the lock; `undefined` if the work has been done meanwhile.
 * The lock only avoids duplicate work: files are correct without it, so any failure to lock counts as holding the lock.
 * @throws the reason of `signal`.
 */
export async function acquireLock(folder: string, name: string, options: LockOptions): Promise<WorkLock | undefined> {
  const path = join(folder, `${name}${LOCK_EXTENSION}`);
  await makeFolder(folder).catch(() => {});
  const watch = { seen: 0, since: performance.now() };
  while (!(await take(path))) {
    if (await options.isDone()) return undefined;
    if (await isAbandoned(path, watch)) await rm(path, { force: true }).catch(() => {});
    else await (options.sleep ?? realSleep)(POLL_INTERVAL, options.signal);
    options.signal?.throwIfAborted();
  }
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), BEAT_INTERVAL);
  beat.unref();
  return {
    release: async () => {
      clearInterval(beat);
      if ((await ownerOf(path)) === processName) await rm(path, { force: true }).catch(() => {});
    },
  };
}

async function realSleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => signal?.throwIfAborted());
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, processName, { flag: 'wx' });
    return true;
  } catch (error) {
    return !(isError(error) && 'code' in error && error.code === 'EEXIST');
  }
}

async function ownerOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** Clocks of machines differ, so the test is whether the lock's time has changed while we watched it. */
async function isAbandoned(path: string, watch: { seen: number; since: number }): Promise<boolean> {
  if (isRunning(await ownerOf(path)) === false) return true;
  const facts = await stat(path).catch(() => undefined);
  if (facts && facts.mtimeMs !== watch.seen) Object.assign(watch, { seen: facts.mtimeMs, since: performance.now() });
  return performance.now() - watch.since > ABANDONED_AFTER;
}

/** Whether a lock was left by a process that has ended, as far as a single look can tell. */
export async function isAbandonedLock(path: string): Promise<boolean> {
  const running = isRunning(await ownerOf(path));
  if (running !== undefined) return !running;
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs > STALE_AFTER;
}
