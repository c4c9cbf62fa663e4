import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { extensionOf, IMAGE_EXTENSIONS, OTHER_IMAGE_EXTENSIONS } from './image-extensions.ts';
import { naturalOrder } from './image-inputs.ts';
import { decodePath, nameOfPath, systemPath } from './path-names.ts';

/** An image in a folder, or a folder that cannot be read. */
export interface FolderImage {
  readonly path: string;
  readonly error?: Blip2Error;
}

/** The images in a folder. */
export interface FolderImages {
  /** In natural order; those of subfolders follow. */
  readonly images: FolderImage[];
  /** Images of formats that cannot be decoded. */
  readonly others: Set<string>;
  readonly hasSubfolders: boolean;
}

/**
 * Lists the images in a folder, without hidden files. With `recursive`, the images of its subfolders follow its own. A
 * folder that cannot be read is an entry with an error, so that the others are still processed.
 */
export async function imagesInFolder(
  folder: string,
  recursive: boolean,
  visited: Set<string> = new Set(),
): Promise<FolderImages> {
  const images: FolderImage[] = [];
  const others = new Set<string>();
  const folders: string[] = [];
  try {
    // A symbolic link can lead back to a folder that was read already.
    const real = decodePath(await realpath(systemPath(folder), 'buffer'));
    const entries = visited.has(real)
      ? []
      : await readdir(systemPath(folder), { withFileTypes: true, encoding: 'buffer' });
    visited.add(real);
    const files: string[] = [];
    for (const entry of entries) {
      const path = join(folder, decodePath(entry.name));
      if (entry.name[0] === DOT) continue;
      const kind = await kindOf(path, entry);
      if (kind === 'folder') folders.push(path);
      else if (kind === 'file' && IMAGE_EXTENSIONS.has(extensionOf(path))) files.push(path);
      else if (kind === 'file' && OTHER_IMAGE_EXTENSIONS.has(extensionOf(path))) others.add(path);
    }
    for (const path of files.sort(naturalOrder)) images.push({ path });
  } catch (cause) {
    images.push({ path: folder, error: unreadable(folder, cause) });
  }
  if (recursive)
    for (const path of folders.sort(naturalOrder)) {
      const inside = await imagesInFolder(path, true, visited);
      for (const image of inside.images) images.push(image);
      for (const other of inside.others) others.add(other);
    }
  return { images, others, hasSubfolders: folders.length > 0 };
}

/** First byte of the names of hidden files. */
const DOT = 0x2e;

/**
 * Kind of an entry or of its link target. Pipes and devices are `other`, because reading them may never end. A broken
 * link counts as a file, so that it is reported as an image that failed; one to a place that cannot be read counts as a
 * folder, which is reported, unless it has the name of a file.
 */
async function kindOf(path: string, entry: Dirent<Buffer>): Promise<'file' | 'folder' | 'other'> {
  let found: Pick<Dirent, 'isFile' | 'isDirectory'> = entry;
  if (entry.isSymbolicLink())
    try {
      found = await stat(systemPath(path));
    } catch (error) {
      return codeOf(error) === 'EACCES' && extensionOf(path) === '' ? 'folder' : 'file';
    }
  if (found.isFile()) return 'file';
  return found.isDirectory() ? 'folder' : 'other';
}

/** The error of a folder that cannot be read. */
export function unreadable(folder: string, cause: unknown): Blip2Error {
  return new Blip2Error('MISSING_FILE', 'The folder cannot be read', {
    where: nameOfPath(folder),
    got: codeOf(cause),
    cause,
  });
}

/** The code of an error of Node. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
