import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Creates a folder and those above it, as far as that is possible; what then cannot be written into it fails by itself.
 * Node's own `recursive` never returns where a folder cannot exist (below `/proc`).
 */
export async function makeFolder(folder: string): Promise<void> {
  const above = dirname(resolve(folder));
  if ((await codeOf(mkdir(folder))) !== 'ENOENT' || above === folder) return;
  await makeFolder(above);
  await codeOf(mkdir(folder));
}

function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  );
}
