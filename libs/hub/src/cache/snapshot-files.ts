import { copyFile, open, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import { makeFolder, readLimited, wrapWriteErrors, writePending } from '@blip2/files';

import { isCommit } from '../repository/repository-id.ts';
import { temporaryPath } from './partial-file.ts';
import { type RepositoryFolder } from './repository-folder.ts';

/** Maximum size of a ref, which contains a commit. */
const MAX_REF_BYTES = 1024;

/** The snapshot folder of a commit. */
export function snapshotFolder(folder: RepositoryFolder, commit: string): string {
  return join(folder.snapshots, commit);
}

/** Size of a file in bytes, with links followed; `undefined` if it does not exist. */
export async function fileSize(path: string): Promise<number | undefined> {
  const facts = await stat(path).catch(() => undefined);
  return facts?.isFile() ? facts.size : undefined;
}

/** Whether links can be created in the cache: not on every file system, and on Windows not by every user. */
export async function canLink({ blobs }: RepositoryFolder, etag: string): Promise<boolean> {
  const probe = temporaryPath(blobs, etag);
  try {
    await symlink(etag, probe, 'file');
    return true;
  } catch {
    return false;
  } finally {
    await rm(probe, { force: true });
  }
}

/**
 * Makes `path` a link to the blob `etag`. The link is relative, so that the cache can be moved. Returns whether links
 * are possible.
 * @throws Blip2Error `WRITE_FAILED` if the folder cannot be created.
 */
export async function linkBlob(folder: RepositoryFolder, etag: string, path: string): Promise<boolean> {
  await wrapWriteErrors(path, makeFolder(dirname(path)));
  const target = relative(dirname(path), join(folder.blobs, etag));
  if ((await readlink(path).catch(() => undefined)) === target) return true;
  // Replaces a broken link or a copy atomically.
  const temporary = temporaryPath(folder.blobs, etag);
  try {
    await symlink(target, temporary, 'file');
    await rename(temporary, path);
    return true;
  } catch {
    await rm(temporary, { force: true });
    return false;
  }
}

/**
 * Makes `path` a copy of the blob `etag`, for systems without links. The blob is kept: other snapshots may use it.
 * @throws Blip2Error `WRITE_FAILED`
 */
export async function copyBlob(folder: RepositoryFolder, etag: string, path: string): Promise<void> {
  await wrapWriteErrors(path, makeFolder(dirname(path)));
  const temporary = temporaryPath(folder.blobs, etag);
  try {
    await wrapWriteErrors(path, copyFile(join(folder.blobs, etag), temporary));
    await wrapWriteErrors(path, syncFile(temporary));
    await wrapWriteErrors(path, rename(temporary, path));
  } finally {
    await rm(temporary, { force: true });
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  await handle.sync().finally(() => handle.close());
}

/** The commit of a branch or tag when it was last resolved. A full commit hash is returned as is. */
export async function cachedCommit(folder: RepositoryFolder, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const stored = await readLimited(join(folder.refs, revision), MAX_REF_BYTES, { code: 'INTEGRITY_FAILED' }).catch(
    () => undefined,
  );
  const commit = new TextDecoder().decode(stored).trim();
  return isCommit(commit) ? commit : undefined;
}

/**
 * Stores the commit of a branch or tag.
 * @throws Blip2Error `WRITE_FAILED`
 */
export async function writeRef(folder: RepositoryFolder, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await cachedCommit(folder, revision)) === commit) return;
  const path = join(folder.refs, revision);
  await wrapWriteErrors(path, makeFolder(dirname(path)));
  const pending = await writePending(path, (handle) => wrapWriteErrors(path, handle.writeFile(commit)));
  await pending.commit();
}

/**
 * Tells backup programs that the folder can be downloaded again (https://bford.info/cachedir/). The text is that of
 * `huggingface_hub`.
 */
const CACHE_TAG =
  'Signature: 8a477f597d28d172789f06886806bc55\n' +
  '# This file is a cache directory tag created by huggingface_hub.\n' +
  '# For information about cache directory tags, see:\n#\thttps://bford.info/cachedir/\n';

/**
 * Creates the cache folder and marks it as a cache.
 * @throws Blip2Error `WRITE_FAILED` if the folder cannot be created.
 */
export async function tagCacheFolder(cacheFolder: string): Promise<void> {
  await wrapWriteErrors(cacheFolder, makeFolder(cacheFolder));
  await writeFile(join(cacheFolder, 'CACHEDIR.TAG'), CACHE_TAG, { flag: 'wx' }).catch(() => {});
}
