import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of all files and links below a folder, sorted. Folders that cannot be read count as empty. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const paths = await Promise.all(
    entries.map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    }),
  );
  return paths.flat().toSorted();
}

/** Size of a regular file in bytes; 0 for links and missing files. */
export async function ownSize(path: string): Promise<number> {
  const facts = await lstat(path).catch(() => undefined);
  return facts?.isFile() ? facts.size : 0;
}

/** Sum of numbers. */
export function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
