/**
 * `npm run lint`: ESLint and Prettier over the whole workspace, one process each. Nx first updates its project graph,
 * from which the layer rule reads who imports whom.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const STEPS = [
  { name: 'nx', args: ['show', 'projects'], quiet: true },
  { name: 'eslint', args: ['.'] },
  { name: 'prettier', args: ['--check', '.'] },
];

const require = createRequire(import.meta.url);

/** The executable of an installed package. */
function binOf(name) {
  const manifest = require.resolve(`${name}/package.json`);
  const { bin } = require(manifest);
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[name]);
}

for (const { name, args, quiet = false } of STEPS) {
  const stdio = quiet ? ['ignore', 'ignore', 'inherit'] : 'inherit';
  const { status } = spawnSync(process.execPath, [binOf(name), ...args], { cwd: ROOT, stdio });
  if (status !== 0) process.exitCode = 1;
}
