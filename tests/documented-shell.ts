import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { hubVariables, startDemoHub } from './demo-hub.ts';
import { root } from './documents.ts';

/** The result of a line. */
export interface ShellRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A reader's shell: `blip2` is installed, and the images, folders and models that documents use exist.
 */
export interface Shell extends AsyncDisposable {
  /** Runs one line: with `npm` or `npx` in the root of the repository, otherwise in the folder with the images. */
  run(line: string): Promise<ShellRun>;
  /** The absolute path of a path in a line, such as `photo.jpg` or `~/.bashrc`. */
  at(name: string): string;
  /** Number of file downloads from the hub so far. */
  downloads(): number;
}

/** Files that documents use, and the files of the repository that replace them. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  'photo.jpg': 'examples/photo-size.jpg',
  'holiday/beach.png': 'examples/one-large-star.png',
  'holiday/2024/tower.jpg': 'examples/tall.jpg',
  'photos/1.png': 'examples/left-of.png',
  'photos/2.png': 'examples/three-of-a-kind.png',
  'training/a.jpg': 'examples/photo-size.jpg',
  'training/more/b.jpg': 'examples/tall.jpg',
  'blip2-opt-2.7b': 'apps/cli/models/blip2-opt-shapes',
  'blip2-base': 'tools/parity/cases/opt/checkpoint',
  'my-lora': 'tools/parity/cases/values/adapters/opt-blip2/adapter-1',
};
/** Standard input of every command. */
const TYPED = 'what shape is on the left?\nwhat color is it?\n';

export async function openShell(): Promise<Shell> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-documents-'));
  const [home, work, bin] = [join(folder, 'home'), join(folder, 'work'), join(folder, 'bin')];
  for (const each of [home, work, bin]) await mkdir(each);
  await writeFile(
    join(bin, 'blip2'),
    `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'apps/cli/bin/blip2.js')}' "$@"\n`,
    { mode: 0o755 },
  );
  await symlink(join(root, 'examples'), join(work, 'examples'));
  for (const [name, source] of Object.entries(PLACEHOLDERS))
    await cp(join(root, source), join(work, name), { recursive: true });
  const hub = await startDemoHub();
  const variables = { ...hubVariables(hub, folder), HOME: home, PATH: `${bin}:${process.env['PATH']}` };
  return {
    run: (line) => bash(line, /\bnp[mx] /.test(line) ? root : work, variables),
    at: (name) => (name.startsWith('~/') ? join(home, name.slice(2)) : join(work, name)),
    downloads: () =>
      hub.requests.filter(({ method, path }) => method === 'GET' && /\/resolve\/|\/blob\//.test(path)).length,
    async [Symbol.asyncDispose]() {
      await hub.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Runs a line asynchronously, because the hub server runs in this process. */
function bash(line: string, cwd: string, variables: Readonly<Record<string, string>>): Promise<ShellRun> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-o', 'pipefail', '-c', line], {
      cwd,
      env: { ...process.env, ...variables },
      stdio: 'pipe',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
    // Most commands do not read their input.
    child.stdin.on('error', () => {}).end(TYPED);
    child.on('error', reject).on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}
