import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HubIo } from './hub-io.ts';
import { isRunning, processName } from './process-identity.ts';

/** Says that somebody works on something. */
export interface DownloadLock {
  release(): Promise<void>;
}

export interface LockOptions {
  readonly io: HubIo;
  readonly signal: AbortSignal | undefined;
  /** Asked while waiting: whether the work has been done meanwhile, so that there is nothing to wait for. */
  readonly isDone: () => Promise<boolean>;
}

const pollInterval = 200;
/** The owner touches the lock this often, in ms. */
const beatInterval = 5_000;
/** A lock of another machine that has not been touched for as long as this is forgotten, in ms of our own clock. */
const forgottenAfter = 30_000;

/**
 * Waits until nobody else works on `etag`; the answer is nothing if the work has been done meanwhile. It only saves double work: files are
 * right without it too, so whatever goes wrong with it counts as having it. Beside Python's own locks, under a name that those do not use.
 */
export async function lockDownload(folder: string, etag: string, options: LockOptions): Promise<DownloadLock | undefined> {
  const path = join(folder, `${etag}.blip2.lock`);
  await mkdir(folder, { recursive: true }).catch(() => {});
  const watch = { seen: 0, since: performance.now() };
  while (!(await take(path))) {
    if (await options.isDone()) return undefined;
    if (await isForgotten(path, watch)) await rm(path, { force: true }).catch(() => {});
    else await options.io.sleep(pollInterval, options.signal);
    options.signal?.throwIfAborted();
  }
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), beatInterval);
  beat.unref();
  return {
    release: async () => {
      clearInterval(beat);
      if ((await ownerOf(path)) === processName) await rm(path, { force: true }).catch(() => {});
    },
  };
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
  return performance.now() - watch.since > forgottenAfter;
}
