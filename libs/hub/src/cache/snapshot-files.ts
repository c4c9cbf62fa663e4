import { copyFile, open, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import { makeFolder, wrapWriteErrors, writePending } from '@blip2/files';

import { isCommit } from '../repository/repository-id.ts';
import { temporaryPath } from './partial-file.ts';
import { type RepositoryFolder } from './repository-folder.ts';

export function snapshotFolder(folder: RepositoryFolder, commit: string): string {
  return join(folder.snapshots, commit);
}

/** Bytes of a file, links followed; nothing if there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  const facts = await stat(path).catch(() => undefined);
  return facts?.isFile() ? facts.size : undefined;
}

/** Whether there can be links in the cache: not on every file system, and on Windows not for everyone. */
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

/** Makes `path` a relative link to the blob `etag`: a cache may be moved. Returns whether links are possible here. */
export async function linkBlob(folder: RepositoryFolder, etag: string, path: string): Promise<boolean> {
  await wrapWriteErrors(path, makeFolder(dirname(path)));
  const target = relative(dirname(path), join(folder.blobs, etag));
  if ((await readlink(path).catch(() => undefined)) === target) return true;
  // Not in place: a link that leads nowhere, or a copy, is replaced in one step.
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

/** The same where links are not possible. `blob` stays: others may use it. */
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

/** The commit that a branch or tag was when it was last asked for; a commit in full is its own. */
export async function cachedCommit(folder: RepositoryFolder, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const commit = (await readFile(join(folder.refs, revision), 'utf8').catch(() => '')).trim();
  return isCommit(commit) ? commit : undefined;
}

/** Keeps which commit a branch or tag is. */
export async function writeRef(folder: RepositoryFolder, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await cachedCommit(folder, revision)) === commit) return;
  const path = join(folder.refs, revision);
  await wrapWriteErrors(path, makeFolder(dirname(path)));
  const pending = await writePending(path, (handle) => wrapWriteErrors(path, handle.writeFile(commit)));
  await pending.commit();
}

/** Tells backup programs that all of this can be had again (https://bford.info/cachedir/), in the words of `huggingface_hub`. */
const CACHE_TAG =
  'Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by huggingface_hub.\n# For information about cache directory tags, see:\n#\thttps://bford.info/cachedir/\n';

export async function tagCacheFolder(cacheFolder: string): Promise<void> {
  await wrapWriteErrors(cacheFolder, makeFolder(cacheFolder));
  await writeFile(join(cacheFolder, 'CACHEDIR.TAG'), CACHE_TAG, { flag: 'wx' }).catch(() => {});
}
