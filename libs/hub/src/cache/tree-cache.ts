import { dirname, join } from 'node:path';

import { makeFolder, parseJson, readLimited, writePending } from '@blip2/files';
import { Blip2Error, defined } from '@blip2/interfaces';

import { field, type RepositoryFile, stringOf } from '../repository/repository-files.ts';
import type { RepositoryFolder } from './repository-folder.ts';

/** Maximum size of a listing. Each file has about 300 bytes. */
const MAX_TREE_BYTES = 32_000_000;
/** Version of the listing format of `huggingface_hub` that is read and written. */
const FORMAT_VERSION = 1;

/**
 * Files that may hold the listing of a commit. Offline, `snapshot_download` of Python takes the first one, which it
 * writes, for a promise that every listed file is in the cache. This package downloads a part of the files, so its
 * listing has a name that Python does not read.
 */
export function treeFiles({ root }: RepositoryFolder, commit: string): readonly [theirs: string, ours: string] {
  return [join(root, 'trees', `${commit}.json`), join(root, 'trees', `${commit}.blip2.json`)];
}

/** The cached listing of a commit, written by this package or by Python; `undefined` if there is no usable one. */
export async function readTreeCache(
  folder: RepositoryFolder,
  commit: string,
): Promise<readonly RepositoryFile[] | undefined> {
  const [theirs, ours] = treeFiles(folder, commit);
  return (await readListing(theirs)) ?? readListing(ours);
}

async function readListing(path: string): Promise<readonly RepositoryFile[] | undefined> {
  try {
    const bytes = await readLimited(path, MAX_TREE_BYTES, { code: 'INTEGRITY_FAILED' });
    const json = parseJson(bytes, (rule) => new Blip2Error('INTEGRITY_FAILED', rule));
    const files = field(json, 'files');
    if (field(json, 'format_version') !== FORMAT_VERSION || typeof files !== 'object' || files === null)
      return undefined;
    const parsed = Object.entries(files).map(([path, entry]) => parseEntry(path, entry));
    return parsed.every((file) => file !== undefined) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function parseEntry(path: string, entry: unknown): RepositoryFile | undefined {
  const [blobId, sha256, xetHash] = [field(entry, 'blob_id'), field(entry, 'lfs_sha256'), field(entry, 'xet_hash')].map(
    stringOf,
  );
  const size = field(entry, 'lfs_size') ?? field(entry, 'size');
  if (
    typeof size !== 'number' ||
    !/^[0-9a-f]{40}$/.test(blobId ?? '') ||
    (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256))
  )
    return undefined;
  return {
    path,
    size,
    blobId: blobId ?? '',
    ...defined({ sha256, xetHash }),
  };
}

/**
 * Stores the listing of a commit, which never changes, in the format of `huggingface_hub`, unless there is one already.
 * Failures are ignored: the cache works without it.
 */
export async function writeTreeCache(
  folder: RepositoryFolder,
  commit: string,
  files: readonly RepositoryFile[],
): Promise<void> {
  if (await readTreeCache(folder, commit)) return;
  const byPath = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const text = JSON.stringify(
    { format_version: FORMAT_VERSION, files: Object.fromEntries(byPath.map((file) => [file.path, entryOf(file)])) },
    null,
    1,
  );
  const [, ours] = treeFiles(folder, commit);
  try {
    await makeFolder(dirname(ours));
    const pending = await writePending(ours, async (handle) => handle.writeFile(text));
    await pending.commit();
  } catch {
    // A read-only cache still works.
  }
}

function entryOf({ size, blobId, sha256, xetHash }: RepositoryFile): Record<string, unknown> {
  return {
    size,
    blob_id: blobId,
    ...defined({ lfs_sha256: sha256, lfs_size: sha256 === undefined ? undefined : size, xet_hash: xetHash }),
  };
}
