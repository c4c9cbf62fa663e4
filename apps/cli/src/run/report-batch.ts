import type { Writable } from 'node:stream';

import { describeFailure } from '../failure.ts';
import type { ImageModel } from '../model/model-port.ts';
import { oneLine } from '../output/one-line.ts';
import type { ResultSink } from '../output/result-sink.ts';
import type { ImageTask } from './image-task.ts';
import type { Opened } from './open-pending.ts';
import type { SheetOfRun } from './sheet-of-run.ts';

/** How a task's results look. */
type ReportedTask<Result> = Pick<ImageTask<Result, ImageModel>, 'toJson' | 'toColumns'>;

export interface BatchReport<Result> {
  readonly batch: readonly Opened[];
  /** Of the opened images of the batch that anything was to be done for, in order. */
  readonly results: readonly (readonly Result[])[];
  readonly task: ReportedTask<Result>;
  readonly json: boolean;
  readonly sink: ResultSink;
  readonly sheet?: SheetOfRun | undefined;
  readonly stderr: Writable;
}

/** Writes the lines of a batch in the order of its images; an image that could not be opened is named on stderr. */
export async function reportBatch<Result>({
  batch,
  results,
  task,
  json,
  sink,
  sheet,
  stderr,
}: BatchReport<Result>): Promise<void> {
  const remaining = results.values();
  for (const opened of batch) {
    const { name, parts } = opened;
    if ('error' in opened) {
      const failure = describeFailure(opened.error);
      if (parts.length > 0) {
        stderr.write(`${oneLine(name)}: ${failure.code}: ${failure.message}\n`);
        if (json) await sink.write(`${JSON.stringify({ image: name, error: failure })}\n`);
      }
      await sheet?.add({ name, failure }, []);
      continue;
    }
    const made = parts.length > 0 ? (remaining.next().value ?? []) : [];
    const lines = made.map((result, index) => lineOf(task, json, name, parts[index] ?? '', result));
    if (lines.length > 0) await sink.write(lines.join(''));
    await sheet?.add(
      opened,
      made.map((result, index) => task.toJson(name, parts[index] ?? '', result)),
    );
  }
}

function lineOf<Result>(task: ReportedTask<Result>, json: boolean, name: string, part: string, result: Result): string {
  if (json) return `${JSON.stringify(task.toJson(name, part, result))}\n`;
  return `${[name, ...task.toColumns(part, result)].map(oneLine).join('\t')}\n`;
}
