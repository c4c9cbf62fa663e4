import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import ts from 'typescript';

/**
 * Removes the comments of the bundles of a package. The declarations in `dist` keep every docstring. Returns the paths
 * of the changed files, relative to `bundle`.
 */
export function stripComments(packageFolder: string): string[] {
  const folder = join(packageFolder, 'bundle');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => {
    if (!path.endsWith('.js')) return false;
    const text = readFileSync(join(folder, path), 'utf8');
    const stripped = withoutComments(text);
    if (stripped === text) return false;
    writeFileSync(join(folder, path), stripped);
    return true;
  });
}

function withoutComments(text: string): string {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ESNext,
    removeComments: true,
  };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}
