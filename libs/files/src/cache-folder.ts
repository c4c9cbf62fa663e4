import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Default cache folder for converted weights and measurements: `$BLIP2_CACHE`, or `blip2` in the user's cache folder
 * (`$XDG_CACHE_HOME`, `%LOCALAPPDATA%`, `~/.cache`).
 */
export function defaultCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { BLIP2_CACHE: own, XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment;
  return own || join(xdg || (process.platform === 'win32' && local) || join(homedir(), '.cache'), 'blip2');
}
