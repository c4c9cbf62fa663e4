import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemCode } from './pending-file.ts';

/**
 * Makes a folder and those above it. Returns the first that had to be made, nothing if all were there. `mkdir` of Node with `recursive` never returns where the system says of a
 * folder that it cannot be there (below `/proc`): it takes the one above it for missing, again and again.
 */
export async function makeFolder(folder: string): Promise<string | undefined> {
  if (await made(folder, { unlessAboveIsMissing: true })) return folder;
  if (await isFolder(folder)) return undefined;
  const first = await makeFolder(dirname(resolve(folder)));
  return (await made(folder, { unlessAboveIsMissing: false })) ? first ?? folder : first;
}

/** False if it is there, or if there is no place for it and that may be. */
async function made(folder: string, { unlessAboveIsMissing }: { readonly unlessAboveIsMissing: boolean }): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    const isMissing = systemCode(error).got === 'ENOENT' && dirname(resolve(folder)) !== folder;
    if ((unlessAboveIsMissing && isMissing) || (await isFolder(folder))) return false;
    throw error;
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then((stats) => stats.isDirectory(), () => false);
}
