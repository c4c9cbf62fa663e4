import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { makeFolder, writePending } from '@blip2/files';

import { field, type RepositoryFile, stringOf } from '../repository/repository-files.ts';
import type { RepositoryFolder } from './repository-folder.ts';

/** The version of `huggingface_hub`'s listing that is read and written. */
const FORMAT_VERSION = 1;

function treeFile({ root }: RepositoryFolder, commit: string): string {
  return join(root, 'trees', `${commit}.json`);
}

/** The listing of a commit that we or Python kept, or nothing if there is none that can be used. */
export async function readTreeCache(
  folder: RepositoryFolder,
  commit: string,
): Promise<readonly RepositoryFile[] | undefined> {
  try {
    const json: unknown = JSON.parse(await readFile(treeFile(folder, commit), 'utf8'));
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
    ...(sha256 !== undefined && { sha256 }),
    ...(xetHash !== undefined && { xetHash }),
  };
}

/**
 * Keeps the listing of a commit, which never changes, in the words of `huggingface_hub`. Never fails: it is a
 * convenience.
 */
export async function writeTreeCache(
  folder: RepositoryFolder,
  commit: string,
  files: readonly RepositoryFile[],
): Promise<void> {
  const byPath = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const text = JSON.stringify(
    { format_version: FORMAT_VERSION, files: Object.fromEntries(byPath.map((file) => [file.path, entryOf(file)])) },
    null,
    1,
  );
  try {
    await makeFolder(join(folder.root, 'trees'));
    const pending = await writePending(treeFile(folder, commit), async (handle) => handle.writeFile(text));
    await pending.commit();
  } catch {
    // A cache that cannot be written still works.
  }
}

function entryOf({ size, blobId, sha256, xetHash }: RepositoryFile): Record<string, unknown> {
  return {
    size,
    blob_id: blobId,
    ...(sha256 !== undefined && { lfs_sha256: sha256, lfs_size: size }),
    ...(xetHash !== undefined && { xet_hash: xetHash }),
  };
}
