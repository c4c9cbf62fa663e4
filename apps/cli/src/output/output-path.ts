import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

import { fileOfName } from '../images/path-names.ts';
import { outputTarget } from './output-target.ts';

/** Whether `-o` names a file of JSON lines, which a later run can resume. */
export function isJsonLines(output: string | undefined): boolean {
  return output !== undefined && /\.(jsonl|ndjson)$/i.test(output);
}

/** Whether a later run can resume the output: JSON lines, CSV, or a folder of shards. */
export function isResumable({
  output,
  format,
}: {
  readonly output?: string | undefined;
  readonly format?: string | undefined;
}): boolean {
  return isJsonLines(output) || /\.csv$/i.test(output ?? '') || format !== undefined;
}

/** Whether `-o` names a file of arrays, which only holds embeddings. */
export function isTensorFile(output: string | undefined): output is string {
  return output !== undefined && /\.(npy|safetensors)$/i.test(output);
}

/**
 * Checks, before any work, that a file can be written. Pipes and devices are not opened.
 * @throws Blip2Error `INVALID_ARGUMENT` for a folder; `WRITE_FAILED`.
 */
export async function expectWritable(output: string): Promise<void> {
  await outputTarget(output);
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
  const target = await stat(output).catch(() => undefined);
  if (!target?.isFile()) return;
  const isTarget = (stats: Stats): boolean => stats.ino === target.ino && stats.dev === target.dev;
  for (const input of inputs) {
    const file = fileOfName(input);
    if (file !== undefined && (await stat(file).then(isTarget, () => false)))
      throw new Blip2Error('INVALID_ARGUMENT', 'The output is one of the inputs', { where: output });
  }
}
