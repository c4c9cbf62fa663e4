import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Every entry point of the packages of this workspace.
 * @param {string} root
 * @returns {{ specifier: string, folder: string, target: string }[]}
 */
export function workspaceEntries(root) {
  return ['libs', 'apps', 'tools']
    .flatMap((group) => readdirSync(join(root, group)).map((name) => join(root, group, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .flatMap((folder) => {
      const { name, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      return Object.entries(exports)
        .filter(([, target]) => typeof target === 'object')
        .map(([subpath, target]) => ({ specifier: name + subpath.slice(1), folder, target: target.default }));
    });
}

/**
 * The source file from which an entry point is compiled.
 * @param {{ folder: string, target: string }} entry
 * @returns {string}
 */
export function sourceOf({ folder, target }) {
  return join(folder, target.replace(/\/(bundle|dist)\//, '/src/').replace(/\.js$/, '.ts'));
}
