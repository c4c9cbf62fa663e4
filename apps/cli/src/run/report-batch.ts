import type { Writable } from 'node:stream';

import { describeFailure } from '../failure.ts';
import type { ImageModel } from '../model/model-port.ts';
import { jsonLine, oneLine } from '../output/display-text.ts';
import type { ResultSink } from '../output/result-sink.ts';
import type { ImageTask } from './image-task.ts';
import type { OpenedInput } from './open-pending.ts';
import type { SheetOfRun } from './sheet-of-run.ts';

/** The formats of a task's results. */
type ReportedTask<Result> = Pick<ImageTask<Result, ImageModel>, 'toJson' | 'toColumns'>;

export interface BatchReport<Result> {
  readonly batch: readonly OpenedInput[];
  /** Results of the images of the batch that were opened and had prompts left, in order. */
  readonly results: readonly (readonly Result[])[];
  readonly task: ReportedTask<Result>;
  readonly json: boolean;
  readonly sink: ResultSink;
  readonly sheet?: SheetOfRun | undefined;
  readonly stderr: Writable;
}

/** Writes the lines of a batch in the order of its images. Images that could not be opened are reported on stderr. */
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
    const { name, prompts } = opened;
    if ('error' in opened) {
      const failure = describeFailure(opened.error);
      if (prompts.length > 0) {
        stderr.write(`${oneLine(name)}: ${failure.code}: ${failure.message}\n`);
        if (json) await sink.write(jsonLine({ image: name, error: failure }));
      }
      await sheet?.add({ name, failure }, []);
      continue;
    }
    const done = prompts.length > 0 ? (remaining.next().value ?? []) : [];
    const lines = done.map((result, index) => lineOf(task, json, name, prompts[index] ?? '', result));
    if (lines.length > 0) await sink.write(lines.join(''));
    await sheet?.add(
      opened,
      done.map((result, index) => task.toJson(name, prompts[index] ?? '', result)),
    );
  }
}

function lineOf<Result>(
  task: ReportedTask<Result>,
  json: boolean,
  name: string,
  prompt: string,
  result: Result,
): string {
  if (json) return jsonLine(task.toJson(name, prompt, result));
  return `${[name, ...task.toColumns(prompt, result)].map(oneLine).join('\t')}\n`;
}
