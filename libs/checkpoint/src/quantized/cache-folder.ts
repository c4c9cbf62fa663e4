import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

import { isAbandonedLock, LOCK_EXTENSION } from '@blip2/files';

/** The folder of converted files in a cache. */
export function convertedFolder(cache: string): string {
  return join(cache, 'weights');
}

/** The folder next to a converted file for the runtime's prepacked weights. It is deleted with the file. */
export function packedFolderOf(file: string): string {
  return `${file.slice(0, -'.safetensors'.length)}${PACKED}`;
}

const PACKED = '.packed';

/** Size of a folder of prepacked weights, in bytes. */
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

/** Prepacked weights whose converted file no longer exists, and unfinished ones. */
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
 * Milliseconds after which an unchanged unfinished file counts as abandoned. A conversion writes many times a second.
 */
const ABANDONED_AFTER = 3_600_000;

/** Files and locks left in a cache by conversions that were killed. Such files are as large as a model. */
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

/** Deletes abandoned files. Failures are ignored: the caller does not depend on it. */
export async function removeAbandoned(folder: string): Promise<void> {
  await Promise.all(
    (await abandonedFiles(folder)).map((file) => rm(file, { force: true, recursive: true }).catch(() => undefined)),
  );
}

/** Resolution of the time of last use in milliseconds, so that frequent use does not update it each time. */
const USE_GRAIN = 3_600_000;

/**
 * Records the use of a converted file as its modification time. Access times are unsuitable: depending on the system,
 * any read updates them, or none does. Failures are ignored.
 */
export async function markUsed(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (!found || Date.now() - found.mtimeMs < USE_GRAIN) return;
  await utimes(file, new Date(), new Date()).catch(() => undefined);
}
