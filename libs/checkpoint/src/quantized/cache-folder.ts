import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import {
  abandonedTemporaries,
  isAbandonedLock,
  isRunning,
  LOCK_EXTENSION,
  readObservations,
  type RecordedFile,
  removeAbandonedLock,
  temporaryOwner,
  writeObservations,
} from '@blip2/files';

/** The folder of converted files in a cache. */
export function convertedFolder(cache: string): string {
  return join(cache, 'weights');
}

/** The folder next to a converted file for the runtime's prepacked weights. It is deleted with the file. */
export function packedFolderOf(file: string): string {
  return `${file.slice(0, -'.safetensors'.length)}${PACKED}`;
}

const PACKED = '.packed';

/** The record of a converted file that was verified. Its modification time is the time of last use of the file. */
export function recordedFile(file: string): RecordedFile {
  return { file, record: join(dirname(file), '..', RECORDS, basename(file)) };
}

/** What is known about unfinished files of other machines, next to the folder of converted files. */
const OBSERVATIONS = 'unfinished.json';
/** The folder of records, next to that of converted files. */
const RECORDS = 'verified';

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

const isUnfinishedFile = (name: string): boolean => name.startsWith('.') && name.endsWith('.tmp');
const isUnfinishedFolder = (name: string): boolean => name.endsWith('.tmp');

/** Files, folders and locks left in a cache by conversions that were killed. Such files are as large as a model. */
export async function abandonedFiles(folder: string): Promise<string[]> {
  const names: readonly string[] = await readdir(folder).catch(() => []);
  const abandoned = [...(await abandonedTemporaries(folder, isUnfinishedFile))];
  for (const name of names) {
    const path = join(folder, name);
    if (name.endsWith(PACKED)) {
      // Prepacked weights whose converted file no longer exists, and unfinished ones.
      if (!names.includes(`${name.slice(0, -PACKED.length)}.safetensors`)) abandoned.push(path);
      else abandoned.push(...(await abandonedTemporaries(path, isUnfinishedFolder)));
    } else if (name.endsWith(LOCK_EXTENSION)) {
      if (await isAbandonedLock(path)) abandoned.push(path);
    }
  }
  return abandoned;
}

/** Unfinished files and locks of other machines, or of earlier versions, which did not name their owners. */
export async function foreignFiles(folder: string): Promise<readonly string[]> {
  const foreign: string[] = [];
  const add = (path: string, owner: string): void => {
    if (isRunning(owner) === undefined) foreign.push(path);
  };
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    if (isUnfinishedFile(name)) add(path, temporaryOwner(name));
    else if (name.endsWith(LOCK_EXTENSION)) add(path, await readFile(path, 'utf8').catch(() => ''));
    else if (name.endsWith(PACKED))
      for (const inside of (await readdir(path).catch(() => [])).filter(isUnfinishedFolder))
        add(join(path, inside), temporaryOwner(inside));
  }
  return foreign;
}

/**
 * Deletes abandoned files, and the records of files that no longer exist. Failures are ignored: the caller does not
 * depend on it.
 */
export async function removeAbandoned(folder: string): Promise<void> {
  const observed = join(folder, '..', OBSERVATIONS);
  await readObservations(observed, folder);
  for (const path of await abandonedFiles(folder)) {
    if (path.endsWith(LOCK_EXTENSION)) await removeAbandonedLock(path);
    else await rm(path, { force: true, recursive: true }).catch(() => undefined);
  }
  await writeObservations(observed, folder, await foreignFiles(folder));
  const files: readonly string[] = await readdir(folder).catch(() => []);
  for (const name of await readdir(join(folder, '..', RECORDS)).catch(() => []))
    if (!files.includes(name)) await rm(join(folder, '..', RECORDS, name), { force: true }).catch(() => undefined);
}
