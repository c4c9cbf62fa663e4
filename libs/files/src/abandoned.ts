import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { bootId, isRunning } from './process-identity.ts';

/**
 * Milliseconds of observation after which an unchanged file of another machine counts as abandoned. Owners change its
 * modification time every few seconds.
 */
export const ABANDONED_AFTER = 60_000;
/**
 * Most milliseconds that count between two looks at a file. After a longer pause, the observer may have been suspended
 * together with the owner.
 */
const LONGEST_GAP = 10_000;

interface Observation {
  readonly state: string;
  /** Milliseconds for which the file was unchanged. */
  readonly still: number;
  /** Time of the last look. */
  readonly at: number;
}

/** Files and folders of other machines that this process has looked at. */
const observations = new Map<string, Observation>();

/** Difference between the clock of this process and that of the system. */
const CLOCK_OFFSET = Number(process.hrtime.bigint()) / 1e6 - performance.now();
/** Milliseconds on a clock that all processes share until the next boot. It stops while the machine is suspended. */
function monotonicTime(): number {
  return performance.now() + CLOCK_OFFSET;
}

/**
 * Whether a file or folder was left by a process that has ended. `owner` is a `processName`. A file of another machine
 * counts as abandoned once it has not changed for 60 seconds in which this process looked at it repeatedly: clocks of
 * machines differ, and a suspended machine makes every file old, so ages are not compared.
 */
export async function isAbandoned(path: string, owner: string, now?: number): Promise<boolean> {
  const running = isRunning(owner);
  return running === undefined ? (await observedStillness(path, now)) >= ABANDONED_AFTER : !running;
}

/** Milliseconds for which a file or folder has not changed while this process looked at it; 0 at the first look. */
export async function observedStillness(path: string, now: number = monotonicTime()): Promise<number> {
  const state = await stateOf(path);
  const earlier = observations.get(path);
  if (state === undefined || earlier?.state !== state) {
    if (state === undefined) observations.delete(path);
    else observations.set(path, { state, still: 0, at: now });
    return 0;
  }
  const still = earlier.still + Math.min(now - earlier.at, LONGEST_GAP);
  observations.set(path, { state, still, at: now });
  return still;
}

/** Changes whenever a file, or any file directly in a folder, is written to or touched. */
async function stateOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (!found) return undefined;
  const own = `${found.ino} ${found.size} ${found.mtimeNs}`;
  if (!found.isDirectory()) return own;
  const names = await readdir(path).catch(() => []);
  const states = await Promise.all(
    names.map((name) => stat(join(path, name), { bigint: true }).catch(() => undefined)),
  );
  return [own, ...states.map((each) => `${each?.size} ${each?.mtimeNs}`)].join('\n');
}

/** Names of temporary files and folders: anything, then their owner and random digits. */
const TEMPORARY_NAME = /\.([0-9a-f]{8}-\d+)\.[0-9a-f]{8}\.tmp$/;

/** The owner of a temporary file or folder by its name; `''` for names of earlier versions. */
export function temporaryOwner(name: string): string {
  return TEMPORARY_NAME.exec(name)?.[1] ?? '';
}

/** Paths in `folder` of the temporary files and folders with a name that `isTemporary` accepts, if abandoned. */
export async function abandonedTemporaries(
  folder: string,
  isTemporary: (name: string) => boolean,
): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const name of await readdir(folder).catch(() => []))
    if (isTemporary(name) && (await isAbandoned(join(folder, name), temporaryOwner(name))))
      paths.push(join(folder, name));
  return paths;
}

/** Deletes abandoned temporary files and folders. Failures are ignored: the caller does not depend on it. */
export async function removeAbandonedTemporaries(
  folder: string,
  isTemporary: (name: string) => boolean,
): Promise<void> {
  for (const path of await abandonedTemporaries(folder, isTemporary))
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/** Milliseconds between two updates of an observation file. */
const WRITE_INTERVAL = 5_000;
let writtenAt = -Infinity;

/**
 * Continues the observations that earlier processes recorded since the last boot, so that processes that run for less
 * than a minute also find out what is abandoned. Paths in the file are relative to `folder`.
 */
export async function readObservations(file: string, folder: string, now: number = monotonicTime()): Promise<void> {
  const recorded = await readFile(file, 'utf8')
    .then(JSON.parse, () => undefined)
    .catch(() => undefined);
  const { boot, files } = Object(recorded) as { readonly boot?: unknown; readonly files?: unknown };
  if (boot !== bootId) return;
  for (const [name, value] of Object.entries(Object(files) as object)) {
    const { state, still, at } = Object(value) as { readonly [key: string]: unknown };
    const path = join(folder, name);
    if (typeof state !== 'string' || typeof still !== 'number' || typeof at !== 'number' || at > now) continue;
    if (!observations.has(path)) observations.set(path, { state, still: still + now - at, at: now });
  }
}

/** Records the observations of these paths, or deletes the file if there are none. Failures are ignored. */
export async function writeObservations(
  file: string,
  folder: string,
  paths: readonly string[],
  now: number = monotonicTime(),
): Promise<void> {
  if (paths.length === 0) return rm(file, { force: true }).catch(() => undefined);
  if (now - writtenAt < WRITE_INTERVAL) return;
  writtenAt = now;
  const files = Object.fromEntries(
    paths.flatMap((path) => (observations.has(path) ? [[relative(folder, path), observations.get(path)]] : [])),
  );
  await writeFile(file, JSON.stringify({ boot: bootId, files })).catch(() => undefined);
}
