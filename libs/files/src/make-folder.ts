import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { systemCode } from './pending-file.ts';

/**
 * Creates a folder and its missing parents. Returns the first folder that was created, `undefined` if all existed.
 * Node's recursive `mkdir` never returns where the system refuses to create a folder with ENOENT (below `/proc`): it
 * retries the parent forever.
 */
export async function makeFolder(folder: string): Promise<string | undefined> {
  try {
    return await makeOne(folder);
  } catch (error) {
    const parent = dirname(resolve(folder));
    if (systemCode(error) !== 'ENOENT' || parent === folder) throw error;
    const [first, last] = [await makeFolder(parent), await makeOne(folder)];
    return first ?? last;
  }
}

/** Creates one folder; `undefined` if it exists already. */
async function makeOne(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder);
    return folder;
  } catch (error) {
    if (await isFolder(folder)) return undefined;
    throw error;
  }
}

/** Whether a folder exists at `path`. Links are followed. */
export function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
