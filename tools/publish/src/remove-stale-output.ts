import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Extensions of the compiler's output for one source. */
const OUTPUT = /(\.d\.ts|\.js)(\.map)?$/;

/**
 * Removes the output of deleted sources from `dist`: the compiler keeps it, and it would be packed. Returns the paths
 * relative to `dist`.
 */
export function removeStaleOutput(packageFolder: string): string[] {
  const dist = join(packageFolder, 'dist');
  const stale = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter(
    (path) => OUTPUT.test(path) && !existsSync(join(packageFolder, 'src', path.replace(OUTPUT, '.ts'))),
  );
  for (const path of stale) rmSync(join(dist, path));
  return stale;
}
