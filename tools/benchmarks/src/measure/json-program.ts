import { execFileSync, type StdioOptions } from 'node:child_process';

const MAX_OUTPUT_BYTES = 2 ** 28;

/** Runs a program and returns the last line of its output, parsed as JSON. Its stderr is shown only if it fails. */
export function lastJsonLine<T>(
  program: string,
  args: readonly string[],
  { stderr = 'pipe' }: { readonly stderr?: 'pipe' | 'inherit' } = {},
): T {
  const stdio: StdioOptions = ['ignore', 'pipe', stderr];
  const output = execFileSync(program, args, { encoding: 'utf8', stdio, maxBuffer: MAX_OUTPUT_BYTES });
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as T;
}

/** The text of a result file. */
export function resultText(result: unknown): string {
  return `${JSON.stringify(result, undefined, 2)}\n`;
}
