import { rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { makeFolder } from '@blip2/files';

/** Age in milliseconds at which a lock counts as abandoned, and the longest time that callers wait for one. */
const LOCK_LIFE_MS = 3000;
const POLL_MS = 20;

/**
 * Lets one thread of all processes measure at a time, since concurrent measurements would disturb each other. The
 * others wait for its result and measure themselves if there is none. If no lock can be created, all measure at once.
 */
export async function oneAtATime<T>(
  file: string,
  find: () => Promise<T | undefined>,
  measure: () => Promise<T>,
): Promise<T> {
  const lock = `${file}.lock`;
  const held = await take(lock, find);
  if (typeof held !== 'boolean') return held.found;
  try {
    // Another thread may have measured before the lock was taken.
    return (await find()) ?? (await measure());
  } finally {
    if (held) await rm(lock, { force: true }).catch(() => undefined);
  }
}

/** Returns true if the lock was taken, false if it cannot be, or the result found while another thread held it. */
async function take<T>(lock: string, find: () => Promise<T | undefined>): Promise<boolean | { readonly found: T }> {
  const until = performance.now() + LOCK_LIFE_MS;
  // Without the folder, writing the lock fails, and nothing is shared.
  await makeFolder(dirname(lock)).catch(() => undefined);
  for (;;) {
    const code = await writeFile(lock, '', { flag: 'wx' }).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code === undefined) return true;
    if (code !== 'EEXIST') return false;
    const found = await find();
    if (found !== undefined) return { found };
    const facts = await stat(lock).catch(() => undefined);
    if (facts && Date.now() - facts.mtimeMs > LOCK_LIFE_MS) await rm(lock, { force: true }).catch(() => undefined);
    else await sleep(POLL_MS);
    if (performance.now() > until) return false;
  }
}
