import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { TestProject } from 'vitest/node';

import { bundlePackages } from '../bundle/bundle-packages.js';

const root = join(import.meta.dirname, '../..');
const EVERYTHING = join(root, 'tsconfig.build.json');
/** What was built for earlier projects of this run; every project evaluates this module anew. */
const state: { builtTestProjects?: string[] } = globalThis;

/**
 * Builds a package and what it depends on before its tests: workers and commands run from bundles. From the second
 * package of a run on, everything is built, once.
 */
export default async function build({ config }: TestProject): Promise<void> {
  const built = (state.builtTestProjects ??= []);
  if (built.includes(EVERYTHING)) return;
  const own = join(config.root, 'tsconfig.lib.json');
  const project = existsSync(own) && built.length === 0 ? own : EVERYTHING;
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', project], { stdio: 'inherit' });
  await bundlePackages(root);
  built.push(project);
}
