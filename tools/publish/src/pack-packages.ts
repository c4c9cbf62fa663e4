import { join } from 'node:path';

import { runNpm } from './npm.ts';
import { removeStaleOutput } from './remove-stale-output.ts';
import type { Tarball } from './tarball.ts';
import type { Workspace } from './workspace.ts';

/** One entry of the output of `npm pack --json`. */
interface PackedEntry {
  readonly name: string;
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

/** Packs every published package into `folder`, as `npm publish` would. */
export async function packPackages(
  { root, published }: Workspace,
  folder: string,
): Promise<{ tarballs: Tarball[]; problems: string[] }> {
  for (const { folder: own } of published) removeStaleOutput(join(root, own));
  const { succeeded, stdout, tail } = await runNpm(
    ['pack', '--json', '--pack-destination', folder, ...published.map(({ folder: own }) => `./${own}`)],
    root,
  );
  if (!succeeded) return { tarballs: [], problems: [`npm pack failed:\n${tail}`] };
  // npm 10 prints a list, npm 11 an object keyed by name.
  const entries = Object.values(JSON.parse(stdout) as Record<string, PackedEntry>);
  const tarballs = published.flatMap((own) =>
    entries
      .filter(({ name }) => name === own.manifest.name)
      .map(({ filename, size, unpackedSize, files }) => ({
        package: own,
        file: join(folder, filename),
        size,
        unpackedSize,
        paths: files.map(({ path }) => path),
      })),
  );
  return {
    tarballs,
    problems: tarballs.length === published.length ? [] : ['npm pack packed something else than was asked for'],
  };
}
