import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { systemCode } from './pending-file.ts';

/**
 * Makes a folder and those above it. Returns the first that had to be made, nothing if all were there. `mkdir` of Node
 * with `recursive` never returns where the system says of a
 * folder that it cannot be there (below `/proc`): it takes the one above it for missing, again and again.
 */
export async function makeFolder(folder: string): Promise<string | undefined> {
  try {
    return await makeOne(folder);
  } catch (error) {
    const above = dirname(resolve(folder));
    if (systemCode(error).got !== 'ENOENT' || above === folder) throw error;
    const [first, last] = [await makeFolder(above), await makeOne(folder)];
    return first ?? last;
  }
}

/** Nothing if it is there already. */
async function makeOne(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder);
    return folder;
  } catch (error) {
    if (await isFolder(folder)) return undefined;
    throw error;
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
