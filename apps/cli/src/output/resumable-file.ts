import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { mustBe } from '@blip2/interfaces';

import { appendedFile } from './appended-file.ts';
import type { ResumeOptions } from './output-request.ts';
import { replacedFile } from './replaced-file.ts';
import type { ResultSink } from './result-sink.ts';
import { expectSameRun, type RunRecord } from './run-record.ts';

/**
 * Opens a file of JSON lines that a later run resumes. Finished lines are kept; failed lines and an incomplete last
 * line are dropped and computed again.
 * @throws Blip2Error `INVALID_ARGUMENT` if the file belongs to another run or does not hold results.
 */
export async function resumableFile(file: string, { record, restart, keyOf }: ResumeOptions): Promise<ResultSink> {
  const size = await stat(file).then(
    (stats) => stats.size,
    () => 0,
  );
  const resuming = size > 0 && !restart;
  const done = resuming ? await resume(file, record, keyOf) : new Set<string>();
  return { done, resumable: true, ...appendedFile(file, { record, resuming }) };
}

async function resume(file: string, record: RunRecord, keyOf: ResumeOptions['keyOf']): Promise<Set<string>> {
  await expectSameRun(file, record);
  const done = new Set<string>();
  const kept = replacedFile(file);
  let dropped = 0;
  for await (const { line, last } of linesOf(file)) {
    const value = parseLine(line);
    if (value === undefined && !last)
      throw mustBe('Every line of the output file', 'JSON', line, { where: file, fix: 'Start over with --restart' });
    const key = value && keyOf(value);
    if (key === undefined) dropped++;
    else {
      done.add(key);
      await kept.write(`${line}\n`);
    }
  }
  await kept.close(dropped > 0 && done.size > 0 ? 'finished' : 'failed');
  if (done.size === 0) await rm(file);
  return done;
}

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
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}
