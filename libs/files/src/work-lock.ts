import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { makeFolder } from './make-folder.ts';
import { isRunning, processName } from './process-identity.ts';

/** Says that somebody works on something. */
export interface WorkLock {
  release(): Promise<void>;
}

export interface LockOptions {
  /** Default: real time. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly signal: AbortSignal | undefined;
  /** Asked while waiting: whether the work has been done meanwhile, so that there is nothing to wait for. */
  readonly isDone: () => Promise<boolean>;
}

const POLL_INTERVAL = 200;
/** The owner touches the lock this often, in ms. */
const BEAT_INTERVAL = 5_000;
/** A lock of another machine that has not been touched for as long as this is forgotten, in ms of our own clock. */
const FORGOTTEN_AFTER = 30_000;
/** The same where there is no time to watch: clocks of machines may differ by less than this, in ms. */
const LEFT_AFTER = 3_600_000;

/** Ends the names of locks: none that Python's own locks, which may lie beside them, have. */
export const LOCK_EXTENSION = '.blip2.lock';

/**
 * Waits until nobody else works on what is called `name`; the answer is nothing if the work has been done meanwhile. It
 * only saves double work: files are
 * right without it too, so whatever goes wrong with it counts as having it. Fails with an `AbortError`.
 */
export async function acquireLock(folder: string, name: string, options: LockOptions): Promise<WorkLock | undefined> {
  const path = join(folder, `${name}${LOCK_EXTENSION}`);
  await makeFolder(folder).catch(() => {});
  const watch = { seen: 0, since: performance.now() };
  while (!(await take(path))) {
    if (await options.isDone()) return undefined;
    if (await isForgotten(path, watch)) await rm(path, { force: true }).catch(() => {});
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
    return !(error instanceof Error && 'code' in error && error.code === 'EEXIST');
  }
}

async function ownerOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** Clocks of machines differ: what counts is that the time of the lock has not changed while we looked at it. */
async function isForgotten(path: string, watch: { seen: number; since: number }): Promise<boolean> {
  if (isRunning(await ownerOf(path)) === false) return true;
  const facts = await stat(path).catch(() => undefined);
  if (facts && facts.mtimeMs !== watch.seen) Object.assign(watch, { seen: facts.mtimeMs, since: performance.now() });
  return performance.now() - watch.since > FORGOTTEN_AFTER;
}

/** Whether a lock was left by a process that is gone, as far as that can be told without watching it. */
export async function isAbandonedLock(path: string): Promise<boolean> {
  const running = isRunning(await ownerOf(path));
  if (running !== undefined) return !running;
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs > LEFT_AFTER;
}
