import { resolve } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import type { Failure } from '../failure.ts';
import { expectNoInput, expectWritable, isJsonLines } from '../output/open-sink.ts';
import type { Outcome, ResultSink } from '../output/result-sink.ts';
import { contactSheet } from '../report/contact-sheet.ts';
import { earlierResults } from '../report/earlier-results.ts';
import type { SheetText, SheetTitle, Thumbnail } from '../report/sheet-html.ts';
import type { ImageTask } from './image-task.ts';
import { keyOf, keyOfLine } from './result-keys.ts';

/** The contact sheet of a run: all its images in order, those of an earlier run that it goes on from among them. */
export interface SheetOfRun {
  /** An image with the JSON results of this run; what is missing comes from the earlier one. */
  add(
    image: {
      readonly name: string;
      readonly thumbnail?: Thumbnail | undefined;
      readonly failure?: Failure | undefined;
    },
    results: readonly Readonly<Record<string, unknown>>[],
  ): Promise<void>;
  close(outcome: Outcome): Promise<void>;
}

export interface SheetSettings {
  readonly report: string;
  readonly output: string | undefined;
  readonly inputs: readonly string[];
  readonly title: SheetTitle;
}

type SheetTask = Pick<ImageTask<never, never>, 'partOf' | 'parts'> & {
  readonly sheetText: NonNullable<ImageTask<never, never>['sheetText']>;
};

/**
 * Opens the sheet that `--report` names. `INVALID_ARGUMENT` if it would overwrite an input or the results,
 * `WRITE_FAILED` if it cannot be written.
 */
export async function sheetOfRun(
  task: SheetTask,
  { report, output, title }: Omit<SheetSettings, 'inputs'>,
  { done }: Pick<ResultSink, 'done'>,
): Promise<SheetOfRun> {
  const earlier =
    done.size > 0 && output !== undefined ? await earlierTexts(task, output) : new Map<string, SheetText>();
  const sheet = contactSheet(report, title);
  return {
    async add({ name, thumbnail, failure }, results) {
      const made = new Map(results.map((result) => [keyOfLine(task, result), task.sheetText(result)]));
      const texts = task.parts.flatMap((part) => made.get(keyOf(name, part)) ?? earlier.get(keyOf(name, part)) ?? []);
      // An image that is gone by now still has what was said about it.
      await sheet.add({ name, texts, thumbnail, failure: texts.length > 0 ? undefined : failure });
    },
    close: (outcome) => sheet.close(outcome),
  };
}

/** Refuses before anything is done what `sheetOfRun` could not write. */
export async function expectSheet({ report, output, inputs }: Omit<SheetSettings, 'title'>): Promise<void> {
  if (!/\.html?$/i.test(report))
    throw new Blip2Error('INVALID_ARGUMENT', 'A contact sheet is a page', {
      where: '--report',
      expected: 'a file ending in .html',
      got: report,
    });
  if (output !== undefined && resolve(output) === resolve(report))
    throw new Blip2Error('INVALID_ARGUMENT', 'The contact sheet would overwrite the results', {
      where: '--report',
      got: report,
      fix: 'Name another file',
    });
  await expectNoInput(report, inputs);
  await expectWritable(report);
}

function earlierTexts(task: SheetTask, output: string): Promise<ReadonlyMap<string, SheetText>> {
  if (isJsonLines(output)) return earlierResults(output, (line) => keyOfLine(task, line), task.sheetText);
  throw new Blip2Error(
    'INVALID_ARGUMENT',
    'A contact sheet of a run that goes on needs the earlier results as JSON lines',
    { where: '--report', got: output, fix: 'Start over with --restart, or write results to a .jsonl file' },
  );
}
