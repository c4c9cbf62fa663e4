import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isLeftLock, lockEnding } from '../work-lock.ts';

/**
 * Where converted weights are kept when nothing else is said: `$BLIP2_CACHE`, or `blip2` in the user's folder for caches
 * (`$XDG_CACHE_HOME`, `%LOCALAPPDATA%`, `~/.cache`).
 */
export function defaultCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { BLIP2_CACHE: own, XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment;
  return own || join(xdg || (process.platform === 'win32' && local) || join(homedir(), '.cache'), 'blip2');
}

/** The folder of a cache that has the converted files. */
export function convertedFolder(cache: string): string {
  return join(cache, 'weights');
}

/** Milliseconds after which an unfinished file that nobody has written to was left by a process that is gone: a conversion writes several times a second. */
const ABANDONED_AFTER = 3_600_000;

/** What processes that were killed while they converted have left below a cache: such files are as large as a model. Their locks too. */
export async function abandonedFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const abandoned = await Promise.all(names.map(async (name) => {
    const file = join(folder, name);
    if (name.endsWith(lockEnding)) return (await isLeftLock(file)) ? [file] : [];
    if (!name.startsWith('.') || !name.endsWith('.tmp')) return [];
    const found = await stat(file).catch(() => undefined);
    return found && Date.now() - found.mtimeMs > ABANDONED_AFTER ? [file] : [];
  }));
  return abandoned.flat();
}

/** Removes them, as far as that is possible: it is not what the caller came for. */
export async function removeAbandoned(folder: string): Promise<void> {
  await Promise.all((await abandonedFiles(folder)).map((file) => rm(file, { force: true }).catch(() => undefined)));
}

/** How exact the time of the last use is, in ms: a file that is used all day is not written to each time. */
const USE_GRAIN = 3_600_000;

/**
 * Notes that a converted file is in use now, as the time of its last change: that of the last access moves whenever anybody looks into it, or never, as the system likes.
 * Where it cannot be noted, nothing happens.
 */
export async function markUsed(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (!found || Date.now() - found.mtimeMs < USE_GRAIN) return;
  await utimes(file, new Date(), new Date()).catch(() => undefined);
}
