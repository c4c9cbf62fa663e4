import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { temporaryOwner } from './abandoned.ts';
import { temporaryName, wrapWriteErrors } from './pending-file.ts';
import { isRunning } from './process-identity.ts';

/** What the names of temporary folders start with. */
const PREFIX = 'blip2-';

/**
 * Creates a folder in `parent` (an existing folder) for this process, whose name starts with `blip2-` and `label`.
 * Those
 * that processes of this machine left when they were killed are deleted first. Folders of other machines are kept: they
 * may be in use for hours without a change.
 * @throws Blip2Error `WRITE_FAILED`
 */
export async function createTemporaryFolder(parent: string, label: string): Promise<string> {
  const folder = join(parent, temporaryName(`${PREFIX}${label}`));
  for (const name of await readdir(parent).catch(() => []))
    if (name.startsWith(PREFIX) && isRunning(temporaryOwner(name)) === false)
      await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  await wrapWriteErrors(parent, mkdir(folder, { mode: 0o700 }));
  return folder;
}
