import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { BLIP2, repositoryPath } from '../../repository.ts';

/** Modules that a command loads, by thread: `main` and `workers`. */
export interface LoadedModules {
  readonly main: number;
  readonly workers: number;
}

/** Notes the thread and the address of each loaded module. */
const HOOKS = `
import { appendFileSync } from 'node:fs';
let thread, log;
export function initialize(data) { [thread, log] = data; }
export async function load(url, context, next) {
  if (!url.startsWith('node:')) appendFileSync(log, thread + '\\n');
  return next(url, context);
}`;

/** Modules that a caption of the demo loads, without those of Node. */
export function loadedModules(): LoadedModules {
  const folder = mkdtempSync(join(tmpdir(), 'blip2-modules-'));
  try {
    const [hooks, program, log] = ['hooks.mjs', 'register.mjs', 'log.txt'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(hooks, HOOKS);
    writeFileSync(
      program,
      `import { register } from 'node:module';
import { threadId } from 'node:worker_threads';
register(${JSON.stringify(pathToFileURL(hooks).href)}, { data: [threadId, ${JSON.stringify(log)}] });`,
    );
    writeFileSync(log, '');
    execFileSync(process.execPath, [BLIP2, 'caption', '--quiet', repositoryPath('examples/left-of.png')], {
      env: { ...process.env, NODE_OPTIONS: `--import ${pathToFileURL(program).href}` },
      stdio: 'pipe',
    });
    const threads = readFileSync(log, 'utf8').trim().split('\n');
    const main = threads.filter((thread) => thread === '0').length;
    return { main, workers: threads.length - main };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
