import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { Blip2Error } from '@blip2/interfaces';

import { appendedFile } from './appended-file.ts';
import { replacedFile } from './replaced-file.ts';
import type { ResultSink } from './result-sink.ts';
import { expectSameRun, type RunRecord } from './run-record.ts';

export interface ResumeOptions {
  readonly record: RunRecord;
  /** Start over: what the file holds is given up when the first new line is written. */
  readonly restart: boolean;
  /** The key of a finished line; `undefined` for a line that has to be done again. */
  readonly keyOf: (line: Readonly<Record<string, unknown>>) => string | undefined;
}

/**
 * A file of JSON lines that a later run goes on with. Finished lines stay, failed ones and a torn last one are dropped
 * and done again.
 * Throws `INVALID_ARGUMENT` if the file belongs to another run, or is no file of results at all.
 */
export async function resumableFile(file: string, { record, restart, keyOf }: ResumeOptions): Promise<ResultSink> {
  const size = await stat(file).then(
    (stats) => stats.size,
    () => 0,
  );
  const resuming = size > 0 && !restart;
  const done = resuming ? await resume(file, record, keyOf) : new Set<string>();
  return { done, resumable: true, ...appendedFile(file, { record, goOn: resuming }) };
}

async function resume(file: string, record: RunRecord, keyOf: ResumeOptions['keyOf']): Promise<Set<string>> {
  await expectSameRun(file, record);
  const done = new Set<string>();
  const kept = replacedFile(file);
  let dropped = 0;
  for await (const { line, last } of linesOf(file)) {
    const value = parseLine(line);
    if (value === undefined && !last)
      throw new Blip2Error('INVALID_ARGUMENT', 'A line of the output file is not JSON', {
        where: file,
        got: line.slice(0, 80),
        fix: 'Start over with --restart',
      });
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

/** A last line without its end is torn even if what there is parses; it is given as an empty one. */
async function* linesOf(file: string): AsyncGenerator<{ readonly line: string; readonly last: boolean }> {
  const whole = await endsWithNewline(file);
  let held: string | undefined;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (held !== undefined) yield { line: held, last: false };
    held = line;
  }
  if (held !== undefined) yield { line: whole ? held : '', last: true };
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
