import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

import { naturalOrder } from './image-inputs.ts';
import { decodePath, systemPath } from './path-names.ts';

/** Whether a path that does not exist may be a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[\]{}]/.test(path);
}

/** The files that match a pattern, in natural order. Folders at its start that exist are taken literally. */
export async function filesMatching(pattern: string): Promise<string[]> {
  const { glob } = await import('tinyglobby');
  const [folder, rest] = await literalStart(process.platform === 'win32' ? pattern.replaceAll('\\', '/') : pattern);
  const found = await glob(rest, { expandDirectories: false, ...(folder !== '' && { cwd: folder }) });
  const paths = new Set(found.map((path) => (folder === '' ? path : join(folder, path))));
  const files: string[] = [];
  for (const path of paths) for (const file of await pathsShownAs(path)) files.push(file);
  return files.sort(naturalOrder);
}

/** Splits a pattern after the folders that exist: brackets and parentheses are common in the names of folders. */
async function literalStart(pattern: string): Promise<[folder: string, rest: string]> {
  const segments = pattern.split('/');
  let folder = isAbsolute(pattern) ? `${segments.shift() ?? ''}/` : '';
  while (segments.length > 1) {
    const next = join(folder, segments[0] ?? '');
    if (!(await isFolder(next))) break;
    folder = next;
    segments.shift();
  }
  return [folder, segments.join('/')];
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** The paths that are this one if bytes that are not UTF-8 are replaced, as tinyglobby does. */
async function pathsShownAs(path: string): Promise<string[]> {
  if (!path.includes('\uFFFD')) return [path];
  let found = [isAbsolute(path) ? '/' : ''];
  for (const segment of path.split('/').filter((name) => name !== '')) {
    const next: string[] = [];
    for (const folder of found)
      if (!segment.includes('\uFFFD')) next.push(join(folder, segment));
      else
        for (const name of await readdir(systemPath(folder || '.'), 'buffer').catch(() => []))
          if (name.toString() === segment) next.push(join(folder, decodePath(name)));
    found = next;
  }
  return found;
}
