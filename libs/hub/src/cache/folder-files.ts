import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of all files and links below a folder, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
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
