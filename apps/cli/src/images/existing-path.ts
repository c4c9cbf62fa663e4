import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';

import { inFolder, pathOfName, systemPath } from './path-names.ts';

/**
 * The path of a line of a list. Blanks and quotes around it, `~` of the home folder, escaped bytes as in outputs, and
 * backslashes of Windows are resolved, unless a file has exactly this name.
 */
export async function pathOfEntry(entry: string, folder: string): Promise<string> {
  const trimmed = entry.trim();
  const candidates = [entry, trimmed, unquoted(trimmed)].flatMap((text) => [text, ...readings(text)]);
  const paths = [...new Set(candidates)].map((text) => inFolder(folder, text));
  return (await firstExisting(paths)) ?? inFolder(folder, pathOfName(unquoted(trimmed)));
}

/** The path of an argument that does not exist literally, or undefined. */
export async function pathOfArgument(argument: string): Promise<string | undefined> {
  return await firstExisting(readings(argument), 1);
}

async function firstExisting(paths: readonly string[], least = 2): Promise<string | undefined> {
  // The common case: there is nothing to decide.
  if (paths.length < least) return paths[0];
  for (const path of paths)
    if (
      await stat(systemPath(path)).then(
        () => true,
        () => false,
      )
    )
      return path;
  return undefined;
}

/** Other readings of a path. */
function readings(text: string): string[] {
  const found = [pathOfName(text), fromHome(text)];
  if (process.platform !== 'win32' && text.includes('\\')) found.push(text.replaceAll('\\', '/'));
  return found.filter((path) => path !== text);
}

function fromHome(path: string): string {
  if (!/^~[/\\]/.test(path)) return path;
  try {
    return homedir() + path.slice(1);
  } catch {
    // A user without an entry and without HOME.
    return path;
  }
}

/** Explorer of Windows copies paths with quotes. */
function unquoted(text: string): string {
  return /^"(.+)"$/s.exec(text)?.[1] ?? text;
}
