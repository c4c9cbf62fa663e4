import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { isError } from '@blip2/interfaces';

import { isAbandoned, observedStillness } from './abandoned.ts';
import { makeFolder } from './make-folder.ts';
import { startBeat, systemCode, temporaryName } from './pending-file.ts';
import { processName } from './process-identity.ts';

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
/**
 * Milliseconds of observation after which an unchanged lock is taken from a running process: the thread that held it
 * may have been terminated. At worst, the work is done twice.
 */
const STUCK_AFTER = 600_000;

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
  while (!(await take(path))) {
    if (await options.isDone()) return undefined;
    const owner = await ownerOf(path);
    if (await isLeft(path, owner)) {
      if (!(await removeLock(path, owner))) break;
    } else await (options.sleep ?? realSleep)(POLL_INTERVAL, options.signal);
    options.signal?.throwIfAborted();
  }
  const stopBeat = startBeat(path);
  return {
    release: async () => {
      stopBeat();
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

/**
 * Removes the abandoned lock of `owner`. It is moved away first: another process may have done the same and hold a new
 * lock by now, which is put back. False if the folder does not allow it: then nobody can lock.
 */
async function removeLock(path: string, owner: string): Promise<boolean> {
  const moved = temporaryName(path);
  try {
    await rename(path, moved);
    if ((await ownerOf(moved)) !== owner) await link(moved, path);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(systemCode(error) ?? '')) return false;
  }
  await rm(moved, { force: true }).catch(() => {});
  return true;
}

async function isLeft(path: string, owner: string): Promise<boolean> {
  return (await isAbandoned(path, owner)) || (await observedStillness(path)) >= STUCK_AFTER;
}

/** Removes a lock if it is abandoned, and leaves a new one alone that another process has taken meanwhile. */
export async function removeAbandonedLock(path: string): Promise<void> {
  const owner = await ownerOf(path);
  if (await isAbandoned(path, owner)) await removeLock(path, owner);
}

/** Whether a lock was left by a process that has ended, as far as known from earlier looks at it. */
export async function isAbandonedLock(path: string, now?: number): Promise<boolean> {
  return isAbandoned(path, await ownerOf(path), now);
}
