import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

/**
 * Default cache folder for converted weights and measurements: `$BLIP2_CACHE`, or `blip2` in the user's cache folder
 * (`$XDG_CACHE_HOME`, `%LOCALAPPDATA%`, `~/.cache`).
 * @throws Blip2Error `INVALID_ARGUMENT` if none of the variables is set and the user has no home folder.
 */
export function defaultCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { BLIP2_CACHE: own, XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment;
  if (own) return own;
  if (xdg && isAbsolute(xdg)) return join(xdg, 'blip2');
  if (process.platform === 'win32' && local) return join(local, 'blip2');
  return join(homeFolder('BLIP2_CACHE', environment), '.cache', 'blip2');
}

/**
 * The home folder of the user: `$HOME`, else that of the user database. A container may run with a user id that has
 * neither. An empty or relative path is ignored: it would lead into the working folder.
 * @throws Blip2Error `INVALID_ARGUMENT` if there is none. It names `variable`, which sets the folder instead.
 */
export function homeFolder(variable: string, environment: NodeJS.ProcessEnv = process.env): string {
  const candidates = [(): string | undefined => environment['HOME'], homedir, (): string => userInfo().homedir];
  const home = candidates.map((candidate) => attempt(candidate)).find((path) => path && isAbsolute(path));
  if (home) return home;
  throw new Blip2Error('INVALID_ARGUMENT', 'The user has no home folder for the cache', {
    argument: variable,
    expected: 'HOME, or an entry in the user database',
    fix: `Set ${variable} to a folder that can be written to`,
  });
}

/** The operating system throws for a user without an entry in the user database. */
function attempt(candidate: () => string | undefined): string | undefined {
  try {
    return candidate();
  } catch {
    return undefined;
  }
}
