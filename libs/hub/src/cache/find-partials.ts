import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { isRunning, LOCK_EXTENSION, processName, removeAbandonedTemporaries } from '@blip2/files';

/** Waits; throws the reason of an aborted signal. */
export type Sleep = (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;

/** Partial files that this thread has open. */
export const openPaths: Set<string> = new Set();

const PARTIAL_PATTERN = /^(?<etag>[0-9a-f]{40}|[0-9a-f]{64})\.(?<owner>free|[0-9a-f]{8}-\d+)-[0-9a-f]{8}\.incomplete$/;
/** Milliseconds between two looks at a file whose owner cannot be checked. Longer than the beat of an open file. */
const LOOK_INTERVAL = 6000;
/** Number of looks, a minute in total, after which an unchanged file is free. */
const LOOKS = 10;
/**
 * The same for a file that has not changed for `OLD_AFTER` by the clock, which alone decides nothing: it may be wrong.
 */
const LOOKS_AT_OLD_FILE = 2;
/** Milliseconds. */
const OLD_AFTER = 3_600_000;

/** A partial file in a blob folder. */
export interface FoundPartial {
  readonly path: string;
  readonly size: number;
  /** In milliseconds, by the clock of its owner. */
  readonly changed: number;
  /**
   * `free`: no process works on it. `living`: its owner is running on this machine. `unknown`: its owner is another
   * machine or container, another program, or had the same process id as this one.
   */
  readonly state: 'free' | 'living' | 'unknown';
  /** False for a link that was about to be moved into a snapshot. */
  readonly isFile: boolean;
}

async function findPartials(blobs: string, isCandidate: (name: string) => boolean): Promise<FoundPartial[]> {
  const found: FoundPartial[] = [];
  for (const name of (await readdir(blobs).catch(() => [])).filter(isCandidate)) {
    const path = join(blobs, name);
    const facts = await lstat(path).catch(() => undefined);
    if (!facts) continue;
    const state = stateOf(path, PARTIAL_PATTERN.exec(name)?.groups?.['owner'] ?? '');
    found.push({ path, size: facts.size, changed: facts.mtimeMs, state, isFile: facts.isFile() });
  }
  return found.toSorted((a, b) => b.size - a.size);
}

function stateOf(path: string, owner: string): FoundPartial['state'] {
  if (owner === 'free') return 'free';
  // After a restart, a container may have the same process id as before.
  if (owner === processName) return openPaths.has(path) ? 'living' : 'unknown';
  const running = isRunning(owner);
  return running === undefined ? 'unknown' : running ? 'living' : 'free';
}

/** Partial files of `etag` in `blobs`, the longest first. */
export async function partialsOf(blobs: string, etag: string): Promise<readonly FoundPartial[]> {
  const found = await findPartials(blobs, (name) => PARTIAL_PATTERN.exec(name)?.groups?.['etag'] === etag);
  return found.filter(({ isFile }) => isFile);
}

/**
 * Watches files, and returns those that did not change. Looks are counted, not milliseconds: no clock decides, and
 * nothing is missed if this machine is suspended.
 * @throws the signal's reason.
 */
export async function unchangedFiles(
  files: readonly FoundPartial[],
  sleep: Sleep,
  signal: AbortSignal | undefined,
  looks: number = LOOKS,
): Promise<readonly FoundPartial[]> {
  let still = files;
  for (let look = 0; look < looks && still.length > 0; look++) {
    await sleep(LOOK_INTERVAL, signal);
    signal?.throwIfAborted();
    const unchanged = await Promise.all(
      still.map(async ({ path, size, changed }) => {
        const facts = await lstat(path).catch(() => undefined);
        return facts !== undefined && facts.size === size && facts.mtimeMs === changed;
      }),
    );
    still = still.filter((_, index) => unchanged[index]);
  }
  return still;
}

/** Deletes what killed processes left of files that are now complete: partial files, and locks that were being made. */
export async function removeLeftovers(blobs: string, etags: ReadonlySet<string>): Promise<void> {
  const isOfLock = (name: string): boolean => name.includes(LOCK_EXTENSION) && etags.has(name.split('.')[0] ?? '');
  await removeAbandonedTemporaries(blobs, (name) => name.endsWith('.tmp') && isOfLock(name));
  const left = await findPartials(blobs, (name) => etags.has(PARTIAL_PATTERN.exec(name)?.groups?.['etag'] ?? ''));
  for (const { path, state } of left) if (state === 'free') await rm(path, { force: true });
}

/**
 * All partial files that no process works on, including those of other programs that have not changed for an hour, and
 * do not change while they are watched.
 * @throws the signal's reason.
 */
export async function abandonedPartials(
  blobs: string,
  sleep: Sleep,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const found = await findPartials(blobs, (name) => name.endsWith('.incomplete'));
  const old = found.filter(({ state, changed }) => state === 'unknown' && Date.now() - changed > OLD_AFTER);
  const abandoned = [
    ...found.filter(({ state }) => state === 'free'),
    ...(await unchangedFiles(old, sleep, signal, LOOKS_AT_OLD_FILE)),
  ];
  return abandoned.map(({ path }) => path);
}
