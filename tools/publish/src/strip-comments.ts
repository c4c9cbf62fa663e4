import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import ts from 'typescript';

/**
 * Removes the comments of the compiled modules of a package, and the names of source maps, which are not packed. The
 * declarations next to them keep every docstring. Returns the paths of the changed modules, relative to `dist`.
 */
export function stripComments(packageFolder: string): string[] {
  const dist = join(packageFolder, 'dist');
  return readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((path) => {
    if (!path.endsWith('.js')) return false;
    const text = readFileSync(join(dist, path), 'utf8');
    const stripped = withoutComments(text);
    if (stripped === text) return false;
    writeFileSync(join(dist, path), stripped);
    return true;
  });
}

function withoutComments(text: string): string {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ESNext,
    removeComments: true,
    sourceMap: false,
  };
  return ts.transpileModule(text.replace(/^\/\/# sourceMappingURL=.*$/m, ''), { compilerOptions }).outputText;
}
