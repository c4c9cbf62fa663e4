import { access, constants, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';

import { Blip2Error } from '@blip2/interfaces';

import { replacedFile } from './replaced-file.ts';
import type { ResultSink } from './result-sink.ts';
import { resumableFile, type ResumeOptions } from './resumable-file.ts';
import { stdoutSink } from './stdout-sink.ts';
import { writeFailed } from './write-failed.ts';

/** Whether lines go to a file that a later run can go on with. */
export function isJsonLines(output: string | undefined): boolean {
  return output !== undefined && /\.(jsonl|ndjson)$/i.test(output);
}

/**
 * The place that `-o` names: a `.jsonl` is resumed, another file is replaced, none is stdout. Nothing is written yet.
 */
export async function openSink(
  output: string | undefined,
  stdout: Writable,
  resume: ResumeOptions,
): Promise<ResultSink> {
  if (output === undefined) return stdoutSink(stdout);
  await expectWritable(output);
  return isJsonLines(output) ? resumableFile(output, resume) : replacedFile(output);
}

/** Throws `WRITE_FAILED`, or `INVALID_ARGUMENT` for a folder, before the work and not after it. */
export async function expectWritable(output: string): Promise<void> {
  if (
    await stat(output).then(
      (stats) => stats.isDirectory(),
      () => false,
    )
  )
    throw new Blip2Error('INVALID_ARGUMENT', 'The output is a folder', { where: output, fix: 'Name a file' });
  try {
    await access(dirname(output), constants.W_OK);
  } catch (cause) {
    throw writeFailed(output, cause);
  }
}

/** Throws `INVALID_ARGUMENT` if the output would overwrite one of the inputs. */
export async function expectNoInput(output: string | undefined, inputs: readonly string[]): Promise<void> {
  if (output === undefined) return;
  const target = await realpath(output).catch(() => undefined);
  if (target === undefined) return;
  for (const input of inputs)
    if ((await realpath(input).catch(() => undefined)) === target)
      throw new Blip2Error('INVALID_ARGUMENT', 'The output is one of the inputs', { where: output });
}
