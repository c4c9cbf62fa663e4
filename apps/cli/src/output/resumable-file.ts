import { createReadStream } from 'node:fs';
import { open, truncate } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { mustBe } from '@blip2/interfaces';

import { appendedFile } from './appended-file.ts';
import type { ResumeOptions } from './output-request.ts';
import { outputTarget } from './output-target.ts';
import { replacedFile } from './replaced-file.ts';
import { countLine, type ResultSink } from './result-sink.ts';
import { expectSameRun } from './run-record.ts';

/**
 * Opens a file of JSON lines that a later run resumes. Finished lines are kept; failed lines and an incomplete last
 * line are dropped and computed again. Pipes and devices get the lines and cannot be resumed.
 * @throws Blip2Error `INVALID_ARGUMENT` if the file belongs to another run or does not hold results.
 */
export async function resumableFile(file: string, options: ResumeOptions): Promise<ResultSink> {
  const { record, restart, signal } = options;
  const target = await outputTarget(file);
  const resuming = target.kind !== 'stream' && (target.stats?.size ?? 0) > 0 && !restart;
  const done = resuming ? await resume(target.path, options) : new Map<string, number>();
  return { done, resumable: target.kind !== 'stream', ...appendedFile(target, { record, resuming, signal }) };
}

async function resume(file: string, options: ResumeOptions): Promise<Map<string, number>> {
  const { keyOf } = options;
  await expectSameRun(file, options);
  const done = new Map<string, number>();
  const kept = replacedFile(file);
  let dropped = 0;
  try {
    for await (const { line, last } of linesOf(file)) {
      const value = parseLine(line);
      if (value === undefined && !last)
        throw mustBe('Every line of the output file', 'JSON', line, { where: file, fix: 'Start over with --restart' });
      const key = value && keyOf(value);
      if (key === undefined) dropped++;
      else {
        countLine(done, key);
        await kept.write(`${line.replace(BYTE_ORDER_MARK, '')}\n`);
      }
    }
  } catch (error) {
    await kept.close('failed');
    throw error;
  }
  await kept.close(dropped > 0 && done.size > 0 ? 'finished' : 'failed');
  // Emptied rather than deleted, so that the file keeps its permissions and its other names.
  if (done.size === 0) await truncate(file);
  return done;
}

/** Editors on Windows put it at the start of a file that they save. */
const BYTE_ORDER_MARK = /^\uFEFF/;

/** Yields the lines. A last line without a line feed is incomplete even if it parses, and is yielded as empty. */
async function* linesOf(file: string): AsyncGenerator<{ readonly line: string; readonly last: boolean }> {
  const whole = await endsWithNewline(file);
  let previous: string | undefined;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (previous !== undefined) yield { line: previous, last: false };
    previous = line;
  }
  if (previous !== undefined) yield { line: whole ? previous : '', last: true };
}

async function endsWithNewline(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const { buffer } = await handle.read(new Uint8Array(1), 0, 1, size - 1);
    return buffer[0] === 0x0a;
  } finally {
    await handle.close();
  }
}

function parseLine(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line.replace(BYTE_ORDER_MARK, ''));
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}
