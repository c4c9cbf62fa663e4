import { readFile } from 'node:fs/promises';

import { decodePath } from './path-names.ts';

/** Replacement of bytes that are not UTF-8 in `process.argv`. */
const REPLACEMENT = '\uFFFD';
const COMMAND_LINE = '/proc/self/cmdline';

/**
 * Returns a function that gives the path of each argument, in order: Node replaces bytes that are not UTF-8 in
 * arguments, and the kernel (Linux) still has them.
 */
export async function argumentPaths(args: readonly string[]): Promise<(arg: string) => string> {
  if (!args.some((arg) => arg.includes(REPLACEMENT))) return (arg) => arg;
  const line = await readFile(COMMAND_LINE, 'latin1').catch(() => '');
  const queues = new Map<string, string[]>();
  for (const text of line.split('\0')) {
    const bytes = Buffer.from(text, 'latin1');
    const arg = bytes.toString();
    if (arg.includes(REPLACEMENT)) queues.set(arg, [...(queues.get(arg) ?? []), decodePath(bytes)]);
  }
  return (arg) => queues.get(arg)?.shift() ?? arg;
}
