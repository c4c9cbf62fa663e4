import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { TestProject } from 'vitest/node';

const root = join(import.meta.dirname, '../..');

/** Builds a package and what it depends on before its tests: workers and commands run from `dist`. */
export default function build({ config }: TestProject): void {
  const own = join(config.root, 'tsconfig.lib.json');
  const project = existsSync(own) ? own : join(root, 'tsconfig.build.json');
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', project], { stdio: 'inherit' });
}
