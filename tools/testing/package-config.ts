import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Plugin } from 'vite';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

import { sourceOf, workspaceEntries } from './workspace-entries.mjs';

const root = join(import.meta.dirname, '../..');

/**
 * Maps `@blip2/x` and its subpaths to the source file of each `exports` entry, so that tests never use an old bundle.
 */
export const sourceAliases: { find: RegExp; replacement: string }[] = workspaceEntries(root).map((entry) => ({
  find: new RegExp(`^${entry.specifier}$`),
  replacement: sourceOf(entry),
}));

/**
 * Points URLs of modules of the same package, `new URL('./part-worker.js', import.meta.url)`, at the bundle. Workers
 * and parts are loaded by Node itself, which cannot read TypeScript; `build-package.ts` keeps bundles up to date.
 */
function builtModuleUrls(): Plugin {
  return {
    name: 'built-module-urls',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith('.ts') || !code.includes('import.meta.url')) return undefined;
      const built = code.replace(/new URL\('(\.\/[^']+)\.js', import\.meta\.url\)/g, (whole, path: string) => {
        const source = resolve(dirname(id), path);
        if (!existsSync(`${source}.ts`)) return whole;
        const module = `${source.replace(`${sep}src${sep}`, `${sep}bundle${sep}`)}.js`;
        return `new URL(${JSON.stringify(pathToFileURL(module).href)})`;
      });
      return { code: built, map: null };
    },
  };
}

/** The Vitest configuration of the package in `folder`. */
export function packageConfig(folder: string): ViteUserConfig {
  return defineConfig({
    root: folder,
    plugins: [builtModuleUrls()],
    resolve: { alias: sourceAliases },
    test: {
      name: basename(folder),
      include: ['src/**/*.test.ts'],
      globalSetup: join(import.meta.dirname, 'build-package.ts'),
      // Many tests load models or start processes, on machines that may be busy with other work.
      testTimeout: 120_000,
      hookTimeout: 120_000,
    },
  });
}
