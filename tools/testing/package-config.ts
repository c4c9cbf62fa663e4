import { basename, join } from 'node:path';

import { defineConfig, type ViteUserConfig } from 'vitest/config';

import { sourceOf, workspaceEntries } from './workspace-entries.mjs';

const root = join(import.meta.dirname, '../..');

/** Maps `@blip2/x` and its subpaths to the source file of each `exports` entry, so that tests never use `dist`. */
export const sourceAliases: { find: RegExp; replacement: string }[] = workspaceEntries(root).map((entry) => ({
  find: new RegExp(`^${entry.specifier}$`),
  replacement: sourceOf(entry),
}));

/** The vitest configuration of one package. */
export function packageConfig(folder: string): ViteUserConfig {
  return defineConfig({
    root: folder,
    resolve: { alias: sourceAliases },
    test: {
      name: basename(folder),
      include: ['src/**/*.test.ts'],
      execArgv: ['--import', join(import.meta.dirname, 'test-loader.mjs')],
      // Many tests load models or start processes, on machines that are busy with other work too.
      testTimeout: 120_000,
      hookTimeout: 120_000,
    },
  });
}
