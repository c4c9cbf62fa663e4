import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MAX_BYTES = 2 ** 26;

/** A copy of the repository in a temporary folder, where sources can be changed. */
export interface WorkspaceCopy extends AsyncDisposable {
  readonly root: string;
}

/** Copies the tracked files of the repository at `root` and its build. Installed packages are linked. */
export async function copyWorkspace(root: string): Promise<WorkspaceCopy> {
  const copy = await mkdtemp(join(tmpdir(), 'blip2-mutants-'));
  const { stdout } = await run('git', ['ls-files', '-z'], { cwd: root, maxBuffer: MAX_BYTES });
  const tracked = stdout.split('\0').filter((file) => file !== '');
  const packages = tracked
    .filter((file) => /^(libs|apps|tools)\/[^/]+\/package\.json$/.test(file))
    .map((file) => dirname(file));
  for (const file of tracked) await cp(join(root, file), join(copy, file), { verbatimSymlinks: true });
  for (const folder of packages)
    await cp(join(root, folder, 'dist'), join(copy, folder, 'dist'), { recursive: true }).catch(() => undefined);
  await linkModules(join(root, 'node_modules'), join(copy, 'node_modules'));
  return { root: copy, [Symbol.asyncDispose]: () => rm(copy, { recursive: true, force: true }) };
}

/** Links every installed package; links to packages of the repository lead to the copy. */
async function linkModules(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (entry.isDirectory() && entry.name.startsWith('@')) await linkModules(source, target);
    else await symlink(source, target);
  }
}
