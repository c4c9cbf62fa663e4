import { access, constants, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { Blip2Error, mustBe } from '@blip2/interfaces';

/** Whether `-o` names a file of JSON lines, which a later run can resume. */
export function isJsonLines(output: string | undefined): boolean {
  return output !== undefined && /\.(jsonl|ndjson)$/i.test(output);
}

/** Whether `-o` names a file of arrays, which only holds embeddings. */
export function isTensorFile(output: string | undefined): output is string {
  return output !== undefined && /\.(npy|safetensors)$/i.test(output);
}

/**
 * Checks, before any work, that a file can be written.
 * @throws Blip2Error `INVALID_ARGUMENT` for a folder; `WRITE_FAILED`.
 */
export async function expectWritable(output: string): Promise<void> {
  if (await isFolder(output)) throw mustBe('The output', 'a file', output, { fix: 'It is an existing folder' });
  try {
    await access(dirname(output), constants.W_OK);
  } catch (cause) {
    throw writeFailed(output, cause);
  }
}

/** Whether a path is an existing folder. */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/**
 * Checks that the output does not overwrite an input.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export async function expectNoInput(output: string | undefined, inputs: readonly string[]): Promise<void> {
  if (output === undefined) return;
  const target = await realpath(output).catch(() => undefined);
  if (target === undefined) return;
  for (const input of inputs)
    if ((await realpath(input).catch(() => undefined)) === target)
      throw new Blip2Error('INVALID_ARGUMENT', 'The output is one of the inputs', { where: output });
}

/** Creates the `WRITE_FAILED` error for an error of the file system. */
export function writeFailed(file: string, cause: unknown): Blip2Error {
  const got = cause instanceof Error ? cause.message : String(cause);
  return new Blip2Error('WRITE_FAILED', 'The output cannot be written', { where: file, got, cause });
}
