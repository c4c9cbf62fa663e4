import { readdir, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where converted weights are kept when nothing else is said: `$BLIP2_CACHE`, or `blip2` in the user's folder for caches
 * (`$XDG_CACHE_HOME`, `%LOCALAPPDATA%`, `~/.cache`).
 */
export function defaultCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { BLIP2_CACHE: own, XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment;
  return own || join(xdg || (process.platform === 'win32' && local) || join(homedir(), '.cache'), 'blip2');
}

/** Milliseconds after which an unfinished file that nobody has written to was left by a process that is gone: a conversion writes several times a second. */
const ABANDONED_AFTER = 3_600_000;

/** Removes what processes that were killed while they converted have left: such files are as large as a model. */
export async function removeAbandoned(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('.') && name.endsWith('.tmp'));
  await Promise.all(names.map(async (name) => {
    const file = join(folder, name);
    const found = await stat(file).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > ABANDONED_AFTER) await rm(file, { force: true });
  }));
}
