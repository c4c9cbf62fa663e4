import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The committed executable. */
export const executable: string = fileURLToPath(new URL('../../bin/blip2.js', import.meta.url));
/** The top of the repository, where the commands of these tests run. */
export const repository: string = fileURLToPath(new URL('../../../..', import.meta.url));

export interface SpawnedRun {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}
export interface SpawnSettings {
  readonly stdin?: Uint8Array | string;
  readonly nodeOptions?: readonly string[];
  /** Called once the process runs; what it is given sends a Ctrl-C. */
  readonly onStart?: (interrupt: () => void) => void;
  /** Called with everything on stderr so far. */
  readonly onStderr?: (text: string, interrupt: () => void) => void;
}

/** Runs the real `blip2` in a process of its own, without a terminal. */
export function spawnBlip2(argv: readonly string[], settings: SpawnSettings = {}): Promise<SpawnedRun> {
  return run(process.execPath, [...(settings.nodeOptions ?? []), executable, ...argv], settings);
}

/** Runs a line of bash in the same way, with `blip2` as a command of it. */
export function bash(line: string, variables: Readonly<Record<string, string>> = {}): Promise<SpawnedRun> {
  return run(
    'bash',
    ['-c', `set -o pipefail; blip2() { '${process.execPath}' '${executable}' "$@"; }; ${line}`],
    {},
    variables,
  );
}

function run(
  command: string,
  argv: readonly string[],
  { stdin = '', onStart, onStderr }: SpawnSettings,
  variables: Readonly<Record<string, string>> = {},
): Promise<SpawnedRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv, { cwd: repository, env: { ...process.env, ...variables }, stdio: 'pipe' });
    const interrupt = (): void => void child.kill('SIGINT');
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      onStderr?.(stderr, interrupt);
    });
    child.on('spawn', () => onStart?.(interrupt));
    child.stdin.on('error', () => {}).end(stdin);
    child.on('error', reject).on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
}
