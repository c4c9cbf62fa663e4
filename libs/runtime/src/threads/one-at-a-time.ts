import { rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { makeFolder } from './make-folder.ts';

/** Milliseconds: a lock older than this was left by a process that is gone, and nobody waits longer. */
const LOCK_LIFE_MS = 3000;
const POLL_MS = 20;

/**
 * Lets one thread of all processes measure at a time: two at once would measure one another. The others wait for what
 * it finds, and measure themselves if it finds nothing. Where no lock can be made, all measure at once.
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
    // Somebody may have measured between the last look and the lock.
    return (await find()) ?? (await measure());
  } finally {
    if (held) await rm(lock, { force: true }).catch(() => undefined);
  }
}

/** Whether the lock is ours, or what was found while it was another's. */
async function take<T>(lock: string, find: () => Promise<T | undefined>): Promise<boolean | { readonly found: T }> {
  const until = performance.now() + LOCK_LIFE_MS;
  await makeFolder(dirname(lock));
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
