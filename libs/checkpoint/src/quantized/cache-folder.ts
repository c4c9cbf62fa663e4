import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { isAbandonedLock, LOCK_EXTENSION } from '@blip2/files';

/**
 * Where converted weights are kept when nothing else is said: `$BLIP2_CACHE`, or `blip2` in the user's folder for
 * caches
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

/** The folder beside a converted file in which the runtime keeps what it makes of it. It goes when the file goes. */
export function packedFolderOf(file: string): string {
  return `${file.slice(0, -'.safetensors'.length)}${PACKED}`;
}

const PACKED = '.packed';

/** What the runtime keeps of a converted file: bytes in all. */
export async function packedBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Folders of the runtime whose converted file is gone, and those in them that were left unfinished. */
async function abandonedPacked(folder: string, name: string, names: readonly string[]): Promise<string[]> {
  if (!names.includes(`${name.slice(0, -PACKED.length)}.safetensors`)) return [join(folder, name)];
  const unfinished = (await readdir(join(folder, name)).catch(() => []))
    .filter((entry) => entry.endsWith('.tmp'))
    .map((entry) => join(folder, name, entry));
  return (await Promise.all(unfinished.map(async (path) => ((await isOld(path)) ? [path] : [])))).flat();
}

async function isOld(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER;
}

/**
 * Milliseconds after which an unfinished file that nobody has written to was left by a process that is gone: a
 * conversion writes several times a second.
 */
const ABANDONED_AFTER = 3_600_000;

/**
 * What processes that were killed while they converted have left below a cache: such files are as large as a model.
 * Their locks too.
 */
export async function abandonedFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const abandoned = await Promise.all(
    names.map(async (name) => {
      const file = join(folder, name);
      if (name.endsWith(PACKED)) return abandonedPacked(folder, name, names);
      if (name.endsWith(LOCK_EXTENSION)) return (await isAbandonedLock(file)) ? [file] : [];
      if (!name.startsWith('.') || !name.endsWith('.tmp')) return [];
      return (await isOld(file)) ? [file] : [];
    }),
  );
  return abandoned.flat();
}

/** Removes them, as far as that is possible: it is not what the caller came for. */
export async function removeAbandoned(folder: string): Promise<void> {
  await Promise.all(
    (await abandonedFiles(folder)).map((file) => rm(file, { force: true, recursive: true }).catch(() => undefined)),
  );
}

/** How exact the time of the last use is, in ms: a file that is used all day is not written to each time. */
const USE_GRAIN = 3_600_000;

/**
 * Notes that a converted file is in use now, as the time of its last change: that of the last access moves whenever
 * anybody looks into it, or never, as the system likes.
 * Where it cannot be noted, nothing happens.
 */
export async function markUsed(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (!found || Date.now() - found.mtimeMs < USE_GRAIN) return;
  await utimes(file, new Date(), new Date()).catch(() => undefined);
}
