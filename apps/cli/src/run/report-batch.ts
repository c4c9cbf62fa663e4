import type { Writable } from 'node:stream';
import { describeFailure } from '../failure.ts';
import { oneLine } from '../output/one-line.ts';
import type { ResultSink } from '../output/result-sink.ts';
import type { Opened } from './batches.ts';
import type { ImageTask } from './image-task.ts';

/** How a task's results look. */
type ReportedTask<Result> = Pick<ImageTask<Result, AsyncDisposable>, 'toJson' | 'toColumns'>;

export interface BatchReport<Result> {
  readonly batch: readonly Opened[];
  /** Of the opened pictures of the batch, in order. */
  readonly results: readonly (readonly Result[])[];
  readonly task: ReportedTask<Result>;
  readonly json: boolean;
  readonly sink: ResultSink;
  readonly stderr: Writable;
}

/** Writes the lines of a batch in the order of its pictures; a picture that could not be opened is named on stderr. */
export async function reportBatch<Result>({ batch, results, task, json, sink, stderr }: BatchReport<Result>): Promise<void> {
  const remaining = results.values();
  for (const opened of batch) {
    if ('error' in opened) {
      const failure = describeFailure(opened.error);
      stderr.write(`${oneLine(opened.name)}: ${failure.code}: ${failure.message}\n`);
      if (json) await sink.write(`${JSON.stringify({ image: opened.name, error: failure })}\n`);
      continue;
    }
    const lines = (remaining.next().value ?? []).map((result, index) => lineOf(task, json, opened.name, opened.parts[index] ?? '', result));
    await sink.write(lines.join(''));
  }
}

function lineOf<Result>(task: ReportedTask<Result>, json: boolean, name: string, part: string, result: Result): string {
  if (json) return `${JSON.stringify(task.toJson(name, part, result))}\n`;
  return `${[name, ...task.toColumns(part, result)].map(oneLine).join('\t')}\n`;
}
