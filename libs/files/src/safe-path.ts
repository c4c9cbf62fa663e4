import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

/**
 * The Hugging Face cache: `ROOT/models--OWNER--NAME/snapshots/REVISION`, whose files are links to `../../blobs/SHA`.
 */
const SNAPSHOT_FOLDER = /^(?<root>.*)[\\/](?<repository>models--[^\\/]+)[\\/]snapshots[\\/][^\\/]+(?:[\\/].*)?$/;

/** Whether `path` lies in `folder`; both with links resolved. */
export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/**
 * Where the files of a checkpoint may really lie: its folder, and for a snapshot of the Hugging Face cache its
 * repository and the blob store that all repositories share.
 */
function allowedFolders(folder: string): string[] {
  const { root, repository } = SNAPSHOT_FOLDER.exec(folder)?.groups ?? {};
  return root === undefined || repository === undefined
    ? [folder]
    : [folder, join(root, repository), join(root, 'blobs')];
}

/** A checkpoint's folder with links resolved. Fails with `MISSING_FILE`. */
export async function resolveFolder(folder: string): Promise<string> {
  const real = await realpath(folder).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'The checkpoint folder does not exist', { where: folder, cause });
  });
  if ((await stat(real)).isDirectory()) return real;
  throw new Blip2Error('MISSING_FILE', 'The checkpoint is not a folder', {
    where: folder,
    fix: 'Give the folder that holds config.json and the weights',
  });
}

/**
 * The real path of the file `name` of a checkpoint. `folder` has its links resolved. A link may lead only inside the
 * folder, or inside the same
 * Hugging Face cache: a checkpoint must not make us read other files. Fails with `UNSAFE_PATH`, `MISSING_FILE`, or
 * `INVALID_CHECKPOINT` for what is no regular file.
 */
export async function resolveFile(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  if (name === '.' || name === '..' || /[\\/\0]/.test(name)) {
    throw new Blip2Error('UNSAFE_PATH', 'A checkpoint names a file outside its folder', {
      expected: 'a plain file name',
      got: JSON.stringify(name.slice(0, 200)),
      where: folder,
    });
  }
  const real = await resolveInside(folder, path);
  if (!(await stat(real)).isFile())
    throw new Blip2Error('INVALID_CHECKPOINT', 'A file of the checkpoint is not a regular file', { where: path });
  return real;
}

/**
 * The real path of a file that a model folder may have, `undefined` if it has none. `path` starts at the folder and may
 * lead into a folder inside. Links are followed as for weights.
 * @throws Blip2Error `UNSAFE_PATH` if it leads elsewhere, `MISSING_FILE` if it leads nowhere.
 */
export async function findModelFile(folder: string, path: string): Promise<string | undefined> {
  const isThere = await lstat(join(folder, path)).then(
    () => true,
    (cause: unknown) => {
      const reason = cause instanceof Error && 'code' in cause ? cause.code : undefined;
      if (reason === 'ENOENT' || reason === 'ENOTDIR') return false;
      throw new Blip2Error('MISSING_FILE', 'Cannot open file', { where: join(folder, path), cause });
    },
  );
  if (!isThere) return undefined;
  const real = await resolveFolder(folder);
  return resolveInside(real, join(real, path));
}

async function resolveInside(folder: string, path: string): Promise<string> {
  const real = await realpath(path).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'A file of the checkpoint is missing, or a link that leads nowhere', {
      where: path,
      fix: 'Download or copy the file again',
      cause,
    });
  });
  if (allowedFolders(folder).some((allowed) => isInside(allowed, real))) return real;
  throw new Blip2Error('UNSAFE_PATH', 'A link leads out of the checkpoint', {
    expected: `a file inside ${folder}`,
    got: real,
    where: path,
    fix: 'Copy the file into the folder',
  });
}

/** The deepest folder that holds all `files`, absolute paths with links resolved. */
export function commonFolder(files: readonly [string, ...string[]]): string {
  let folder = dirname(files[0]);
  for (const file of files) while (!isInside(folder, file) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}
