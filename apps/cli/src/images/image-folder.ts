import type { Dirent } from 'node:fs';
import { opendir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

import { naturalOrder } from './image-inputs.ts';

/** Extensions of images in a folder: the formats that can be decoded. */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.png',
  '.webp',
  '.gif',
  '.tif',
  '.tiff',
  '.avif',
]);

/**
 * Lists the paths of the images in a folder in natural order, without hidden files. With `recursive`, the images of its
 * subfolders follow its own.
 */
export async function imagesInFolder(
  folder: string,
  recursive: boolean,
  visited: Set<string> = new Set(),
): Promise<string[]> {
  // A symbolic link can lead back to a folder that was read already.
  const real = await realpath(folder);
  if (visited.has(real)) return [];
  visited.add(real);
  const images: string[] = [];
  const folders: string[] = [];
  for await (const entry of await opendir(folder)) {
    if (entry.name.startsWith('.')) continue;
    const kind = await kindOf(folder, entry);
    if (kind === 'file' && IMAGE_EXTENSIONS.has(extname(entry.name).toLowerCase())) images.push(entry.name);
    if (kind === 'folder' && recursive) folders.push(entry.name);
  }
  const found = images.sort(naturalOrder).map((name) => join(folder, name));
  for (const name of folders.sort(naturalOrder))
    for (const path of await imagesInFolder(join(folder, name), true, visited)) found.push(path);
  return found;
}

/**
 * Kind of an entry or of its link target. Pipes and devices are `other`, because reading them may never end. A broken
 * link counts as a file, so that it is reported as an image that failed.
 */
async function kindOf(folder: string, entry: Dirent): Promise<'file' | 'folder' | 'other'> {
  const found = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => undefined) : entry;
  if (!found || found.isFile()) return 'file';
  return found.isDirectory() ? 'folder' : 'other';
}
