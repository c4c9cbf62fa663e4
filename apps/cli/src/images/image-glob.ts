import { type Dirent, promises, readdir, realpath, stat, type Stats } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';

import type { FileSystemAdapter } from 'tinyglobby';

import { codeOf, type FolderImage, unreadable } from './image-folder.ts';
import { naturalOrder } from './image-inputs.ts';
import { decodePath, systemPath } from './path-names.ts';

/** Whether a path that does not exist may be a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[\]{}]/.test(path);
}

/**
 * The files that match a pattern, and the folders that cannot be read, in natural order. Folders at the start of the
 * pattern that exist are taken literally.
 */
export async function filesMatching(pattern: string): Promise<FolderImage[]> {
  const { glob } = await import('tinyglobby');
  const [folder, rest] = await literalStart(process.platform === 'win32' ? pattern.replaceAll('\\', '/') : pattern);
  const failed = new Map<string, Error>();
  const base = resolve(folder);
  const found = await glob(rest, {
    expandDirectories: false,
    fs: byteNames((path, error) => failed.set(join(folder, relative(base, path)), error)),
    ...(folder !== '' && { cwd: folder }),
  });
  const files = new Set(found.map((path) => (folder === '' ? path : join(folder, path))));
  return [
    ...[...files].map((path) => ({ path })),
    ...[...failed].map(([path, error]) => ({ path, error: unreadable(path, error) })),
  ].sort((a, b) => naturalOrder(a.path, b.path));
}

/** Functions of `node:fs` for paths of any bytes. Reports folders that cannot be read, which are otherwise skipped. */
function byteNames(report: (path: string, error: Error) => void): FileSystemAdapter {
  const adapter = {
    readdir(path: string, _options: unknown, done: (error: Error | null, entries?: Dirent[]) => void): void {
      readdir(systemPath(path), { withFileTypes: true, encoding: 'buffer' }, (error, entries) => {
        if (error && !MISSING.has(codeOf(error))) report(path, error);
        if (error) done(error);
        else done(null, entries.map(withTextName));
      });
    },
    realpath(path: string, done: (error: Error | null, real?: string) => void): void {
      realpath(systemPath(path), 'buffer', (error, real) => done(error, error ? undefined : decodePath(real)));
    },
    stat: (path: string, done: (error: NodeJS.ErrnoException | null, stats: Stats) => void): void =>
      stat(systemPath(path), done),
  };
  // The types of `node:fs` have overloads that are not used.
  return adapter as unknown as FileSystemAdapter;
}

/** Errors of a folder that does not exist. */
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR']);

function withTextName(entry: Dirent<Buffer>): Dirent {
  const { name } = entry;
  return Object.assign(Object.create(entry) as object, { name: decodePath(name) }) as Dirent;
}

async function isFolder(path: string): Promise<boolean> {
  return promises.stat(systemPath(path)).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
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
