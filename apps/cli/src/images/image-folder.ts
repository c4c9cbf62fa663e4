import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { naturalOrder } from './natural-order.ts';

/** What counts as a picture in a folder: the formats that can be decoded. */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif']);

/** Paths of the pictures in a folder, in natural order, hidden files left out; with `recursive` those of its folders too, after its own. */
export async function imagesInFolder(folder: string, recursive: boolean, visited: Set<string> = new Set()): Promise<string[]> {
  // Links can lead back to a folder that was read already.
  const real = await realpath(folder);
  if (visited.has(real)) return [];
  visited.add(real);
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.')).sort(naturalOrder);
  const entries = await Promise.all(names.map(async (name) => ({ path: join(folder, name), stats: await stat(join(folder, name)).catch(() => undefined) })));
  // A pipe or device would be waited for without end; a broken link is a picture that fails.
  const images = entries.filter(({ path, stats }) => (!stats || stats.isFile()) && IMAGE_EXTENSIONS.has(extname(path).toLowerCase()));
  const found = images.map(({ path }) => path);
  if (recursive) for (const { path, stats } of entries) if (stats?.isDirectory()) found.push(...(await imagesInFolder(path, true, visited)));
  return found;
}
