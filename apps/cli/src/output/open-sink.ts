import type { Writable } from 'node:stream';

import { expectWritable, isJsonLines } from './output-path.ts';
import type { ResumeOptions } from './output-request.ts';
import { replacedFile } from './replaced-file.ts';
import { type ResultSink, stdoutSink } from './result-sink.ts';
import { resumableFile } from './resumable-file.ts';

/**
 * Opens the output of `-o` for lines: resumes a `.jsonl`, replaces any other file, defaults to stdout. Writes nothing.
 */
export async function openSink(
  output: string | undefined,
  stdout: Writable,
  resume: ResumeOptions,
): Promise<ResultSink> {
  if (output === undefined) return stdoutSink(stdout);
  await expectWritable(output);
  return isJsonLines(output) ? resumableFile(output, resume) : replacedFile(output, resume);
}
