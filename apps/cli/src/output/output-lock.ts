import { randomBytes } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { access, readFile, realpath, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Blip2Error } from '@blip2/interfaces';

import { isFolder } from './output-path.ts';
import { outputTarget } from './output-target.ts';
import { removeLeftovers, temporaryFiles, temporaryName } from './temporary-files.ts';

/** Times in milliseconds; tests shorten them. */
export interface LockTimes {
  /** Between two updates of the lock's modification time by its owner. */
  readonly beat: number;
  /** How long a lock of another machine or container is watched before it counts as abandoned. */
  readonly watch: number;
}

const TIMES: LockTimes = { beat: 1000, watch: 10_000 };
/** Extension of the locks of outputs. */
const EXTENSION = '.blip2.lock';
const POLL_INTERVAL = 100;

/** Locks of this process. A lock that names this process and is not here was left by another one with its id. */
const held = new Set<string>();

/**
 * Locks outputs until disposal, so that no other run of this machine, or of another one that shares the folder, writes
 * them; then deletes the temporary files that killed runs left. Pipes and devices are not locked. Nothing is locked if
 * no lock can be created.
 * @throws Blip2Error `OUTPUT_IN_USE` if another run is writing one of them; the reason of `signal`.
 */
export async function lockOutputs(
  outputs: readonly (string | undefined)[],
  signal: AbortSignal,
  times: LockTimes = TIMES,
): Promise<AsyncDisposable> {
  const locks: AsyncDisposable[] = [];
  const release = async (): Promise<void> => {
    for (const lock of locks.splice(0)) await lock[Symbol.asyncDispose]();
  };
  try {
    for (const output of outputs) {
      const path = output === undefined ? undefined : await lockedPath(output);
      if (output === undefined || path === undefined) continue;
      locks.push(await lockOne(await lockFileOf(path), output, signal, times));
      await removeLeftovers(dirname(path), { prefix: `${basename(path)}.`, all: true });
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { [Symbol.asyncDispose]: release };
}

/**
 * Runs `work` while outputs are locked.
 * @throws Blip2Error as `lockOutputs`; whatever `work` throws.
 */
export async function whileLocked<T>(
  outputs: readonly (string | undefined)[],
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const locks = await lockOutputs(outputs, signal);
  try {
    return await work();
  } finally {
    await locks[Symbol.asyncDispose]();
  }
}

/** The path that is locked: the file or folder itself, without links. Outputs that cannot be opened fail later. */
async function lockedPath(output: string): Promise<string | undefined> {
  if (/[/\\]$/.test(output) || (await isFolder(output))) return realpath(output).catch(() => resolve(output));
  const target = await outputTarget(output).catch(() => undefined);
  return target?.kind === 'stream' ? undefined : target?.path;
}

/** Next to the output, or in it if it is a folder in one that cannot be written to. */
async function lockFileOf(path: string): Promise<string> {
  const canCreate = await access(dirname(path), constants.W_OK).then(
    () => true,
    () => false,
  );
  return !canCreate && (await isFolder(path)) ? join(path, EXTENSION) : path + EXTENSION;
}

async function lockOne(file: string, output: string, signal: AbortSignal, times: LockTimes): Promise<AsyncDisposable> {
  const content = await newContent();
  while (!(await take(file, content))) {
    signal.throwIfAborted();
    const found = await writtenContent(file, signal, times);
    if (found === undefined) continue;
    if (await isInUse(file, found, signal, times)) {
      const { processIdOf } = await import('@blip2/files');
      throw new Blip2Error('OUTPUT_IN_USE', 'Another run is writing the output', {
        where: output,
        got: `process ${processIdOf(found.split(' ')[0] ?? '')}`,
        fix: 'Wait until it has finished, or write to another file',
      });
    }
    await removeAbandoned(file, found);
  }
  const beat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => {}), times.beat);
  beat.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(beat);
      held.delete(content);
      temporaryFiles.forget(file);
      if ((await contentOf(file)) === content) await rm(file, { force: true }).catch(() => {});
    },
  };
}

/** Names this process, its start and this lock. */
async function newContent(): Promise<string> {
  const { processName } = await import('@blip2/files');
  return [processName, startOf('self') ?? '-', randomBytes(8).toString('hex')].join(' ');
}

/** Creates the lock; false if there is one. Outputs are written without a lock where none can be created. */
async function take(file: string, content: string): Promise<boolean> {
  try {
    held.add(content);
    await writeFile(file, content, { flag: 'wx' });
    temporaryFiles.add(file);
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) return true;
    held.delete(content);
    return false;
  }
}

async function contentOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}

/** The content of a lock, once it has some; `undefined` if there is none. */
async function writtenContent(file: string, signal: AbortSignal, { watch }: LockTimes): Promise<string | undefined> {
  const until = performance.now() + watch;
  for (;;) {
    const content = await contentOf(file);
    if (content !== '' || performance.now() > until) return content;
    await sleep(POLL_INTERVAL, undefined, { signal });
  }
}

async function isInUse(file: string, content: string, signal: AbortSignal, times: LockTimes): Promise<boolean> {
  const { isRunning, processName } = await import('@blip2/files');
  const [owner = '', start] = content.split(' ');
  if (owner === processName) return held.has(content);
  const running = isRunning(owner);
  if (running === undefined) return isBeating(file, content, signal, times);
  const actual = startOf(owner.split('-')[1] ?? '');
  // Process ids are used again.
  return running && (actual === undefined || start === '-' || actual === start);
}

/** Whether the owner of a lock, which may be on another machine, still updates it. Clocks are not compared. */
async function isBeating(file: string, content: string, signal: AbortSignal, { watch }: LockTimes): Promise<boolean> {
  const timeOf = (): Promise<number | undefined> =>
    stat(file).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
  const before = await timeOf();
  const until = performance.now() + watch;
  while (performance.now() < until) {
    await sleep(POLL_INTERVAL, undefined, { signal });
    const now = await timeOf();
    const current = await contentOf(file);
    if (now === undefined || current === undefined) return false;
    if (now !== before || current !== content) return true;
  }
  return false;
}

/** Renamed before it is deleted: if another process has replaced the lock meanwhile, its lock is put back. */
async function removeAbandoned(file: string, content: string): Promise<void> {
  const aside = await temporaryName(file);
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  const taken = await contentOf(aside);
  if (taken !== undefined && taken !== content) await writeFile(file, taken, { flag: 'wx' }).catch(() => {});
  await rm(aside, { force: true });
}

/** Start time of a process in clock ticks since boot; `undefined` if unknown. */
function startOf(id: string): string | undefined {
  try {
    const text = readFileSync(`/proc/${id}/stat`, 'latin1');
    // The name, in parentheses, may hold spaces. Fields are counted from 1, and the name is the second.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[START_FIELD - 3];
  } catch {
    return undefined;
  }
}

/** Field `starttime` of `/proc/PID/stat`. */
const START_FIELD = 22;
