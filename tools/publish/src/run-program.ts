import { spawn } from 'node:child_process';

/** The result of a program. */
export interface ProgramResult {
  readonly succeeded: boolean;
  readonly stdout: string;
  /** The last lines of its output, stderr included. */
  readonly tail: string;
}

/** Number of output lines in a report. */
const TAIL_LINES = 15;

/** Runs a program without a shell or input, and waits until it ends. */
export function runProgram(
  file: string,
  argv: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(file, argv, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, all] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => void ([stdout, all] = [stdout + text, all + text]));
    child.stderr.setEncoding('utf8').on('data', (text: string) => void (all += text));
    child.on('error', ({ message }) => resolve({ succeeded: false, stdout, tail: message }));
    child.on('close', (code) =>
      resolve({ succeeded: code === 0, stdout, tail: all.trimEnd().split('\n').slice(-TAIL_LINES).join('\n') }),
    );
  });
}
