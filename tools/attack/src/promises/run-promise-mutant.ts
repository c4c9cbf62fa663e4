import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { PromiseMutant } from './promise-mutant.ts';

const run = promisify(execFile);
const MAX_BYTES = 2 ** 26;
/** Milliseconds until a test that hangs counts as failed. */
const TIMEOUT = 240_000;

/** Builds the packages, which part workers and child processes load. Type errors of a mutant do not matter. */
async function build(root: string): Promise<void> {
  await run('npx', ['tsc', '-b', 'tsconfig.build.json'], { cwd: root, maxBuffer: MAX_BYTES }).catch(() => undefined);
}

/** Whether the test file passes. A mutant may leave processes that do not end: all that the test started are killed. */
export async function passes(root: string, test: string): Promise<boolean> {
  const child = spawn('npx', ['vitest', 'run', test], { cwd: root, stdio: 'ignore', detached: true });
  const killAll = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nothing is left.
    }
  };
  const timer = setTimeout(killAll, TIMEOUT);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code === 0;
  } finally {
    clearTimeout(timer);
    killAll();
  }
}

/** Applies a mutant to the copy at `root`, runs its test, and restores the source. Returns whether the test failed. */
export async function isNoticed(root: string, { file, find, replace, test }: PromiseMutant): Promise<boolean> {
  const path = join(root, file);
  const source = await readFile(path, 'utf8');
  await writeFile(
    path,
    source.replace(find, () => replace),
  );
  await build(root);
  try {
    return !(await passes(root, test));
  } finally {
    await writeFile(path, source);
    await build(root);
  }
}
