import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { isFolder } from './make-folder.ts';
import { systemCode } from './pending-file.ts';
import { readFailure } from './read-limited.ts';

/**
 * A snapshot in the Hugging Face cache: `ROOT/models--OWNER--NAME/snapshots/REVISION`. Its files are links to
 * `../../blobs/SHA`.
 */
const SNAPSHOT_FOLDER = /^(?<root>.*)[\\/](?<repository>models--[^\\/]+)[\\/]snapshots[\\/][^\\/]+(?:[\\/].*)?$/;

/**
 * Files of a Hugging Face cache that belong to a model: its blobs, named by their checksums, and where links are not
 * supported its snapshots.
 */
const MODEL_FILE =
  /[\\/]models--[^\\/]+[\\/](?:blobs[\\/](?:[0-9a-f]{40}|[0-9a-f]{64})|snapshots[\\/][0-9a-f]{40}[\\/].+)$/;
/** Files of the store that all repositories of a Hugging Face cache share, and the marker of such a store. */
const SHARED_FILE = /^(?<store>.*[\\/]blobs)[\\/](?<prefix>[0-9a-f]{2})[\\/]\k<prefix>[0-9a-f]{62}$/;
const SHARED_MARKER = '.huggingface-shared-blobs';

/** Whether `path` is inside `folder`, both with links resolved. */
function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/**
 * Folders in which the files of a checkpoint may be stored: its own folder and, for a snapshot in the Hugging Face
 * cache, its repository and the blob store shared by all repositories.
 */
function allowedFolders(folder: string): string[] {
  const { root, repository } = SNAPSHOT_FOLDER.exec(folder)?.groups ?? {};
  return root === undefined || repository === undefined
    ? [folder]
    : [folder, join(root, repository), join(root, 'blobs')];
}

/**
 * Whether a path with links resolved is a model file of any Hugging Face cache. Folders elsewhere may link to those:
 * they contain what any model of that cache may read.
 */
async function isCachedModelFile(path: string): Promise<boolean> {
  if (MODEL_FILE.test(path)) return true;
  const { store } = SHARED_FILE.exec(path)?.groups ?? {};
  if (store === undefined) return false;
  return lstat(join(store, SHARED_MARKER)).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

/**
 * The real path of a checkpoint folder, with links resolved.
 * @throws Blip2Error `MISSING_FILE` if the path does not exist or is not a folder.
 */
export async function resolveFolder(folder: string): Promise<string> {
  const real = await realpath(folder).catch((cause: unknown) => {
    const code = systemCode(cause);
    throw code === 'ENOENT' || code === 'ENOTDIR'
      ? new Blip2Error('MISSING_FILE', 'The checkpoint folder does not exist', {
          where: folder,
          fix: 'Check the path',
          cause,
        })
      : readFailure(cause, folder);
  });
  if (await isFolder(real)) return real;
  throw new Blip2Error('MISSING_FILE', 'The checkpoint is not a folder', {
    where: folder,
    fix: 'Pass the folder that contains config.json and the weights',
  });
}

/**
 * Whether an untrusted name is the path of a file inside a model folder: a file name, or subfolders and a file name
 * separated by `/`, as in the listing of a repository.
 */
export function isModelPath(name: string): boolean {
  return !/[\\\0]/.test(name) && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/**
 * The real path of the file `name` of a checkpoint. `folder` has its links resolved. A link may lead only to a file
 * inside the folder or to a model file of a Hugging Face cache, so that a checkpoint cannot make us read other files.
 * @throws Blip2Error `UNSAFE_PATH` for a name or a link that leaves the folder, `MISSING_FILE`, `INVALID_CHECKPOINT` if
 * it is not a regular file.
 */
export async function resolveFile(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  if (!isModelPath(name)) {
    throw new Blip2Error('UNSAFE_PATH', 'The checkpoint names a file outside its folder', {
      expected: 'the path of a file in the folder',
      got: JSON.stringify(name.slice(0, 200)),
      where: folder,
      fix: 'Use a checkpoint from a trusted source',
    });
  }
  const real = await resolveInside(folder, path);
  const stats = await stat(real).catch((cause: unknown) => {
    throw readFailure(cause, path);
  });
  if (!stats.isFile())
    throw new Blip2Error('INVALID_CHECKPOINT', 'A checkpoint file is not a regular file', { where: path });
  return real;
}

/**
 * The real path of an optional file of a model folder; `undefined` if it does not exist. `path` is relative to the
 * folder and may contain subfolders. Links are followed as by `resolveFile`.
 * @throws Blip2Error `UNSAFE_PATH` if the path or a link leaves the folder, `MISSING_FILE` for a broken link.
 */
export async function findModelFile(folder: string, path: string): Promise<string | undefined> {
  const exists = await lstat(join(folder, path)).then(
    () => true,
    (cause: unknown) => {
      const code = systemCode(cause);
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      throw readFailure(cause, join(folder, path));
    },
  );
  if (!exists) return undefined;
  const real = await resolveFolder(folder);
  return resolveInside(real, join(real, path));
}

async function resolveInside(folder: string, path: string): Promise<string> {
  const real = await realpath(path).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'A checkpoint file is missing or is a broken link', {
      where: path,
      fix: 'Download or copy the file again',
      cause,
    });
  });
  if (allowedFolders(folder).some((allowed) => isInside(allowed, real))) return real;
  if (await isCachedModelFile(real)) return real;
  throw new Blip2Error('UNSAFE_PATH', 'A link leads out of the checkpoint folder', {
    expected: `a file inside ${folder} or in a Hugging Face cache`,
    got: real,
    where: path,
    fix: 'Replace the link with the file or a hard link to it, or pass the folder that the file is in',
  });
}

/** The deepest folder that contains all `files`, which are absolute paths with links resolved. */
export function commonFolder(files: readonly [string, ...string[]]): string {
  let folder = dirname(files[0]);
  for (const file of files) while (!isInside(folder, file) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}
