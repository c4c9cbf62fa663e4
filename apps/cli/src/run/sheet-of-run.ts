import { resolve } from 'node:path';

import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { Failure } from '../failure.ts';
import type { Thumbnail } from '../images/image-port.ts';
import { expectNoInput, expectWritable, isJsonLines } from '../output/output-path.ts';
import type { Outcome, ResultSink } from '../output/result-sink.ts';
import { contactSheet } from '../report/contact-sheet.ts';
import type { SheetText, SheetTitle } from '../report/sheet-html.ts';
import { earlierResults } from './earlier-results.ts';
import type { ImageTask } from './image-task.ts';
import { keyOf, keyOfLine } from './result-keys.ts';

/** The contact sheet of a run: all its images in order, including those of an earlier run that it resumes. */
export interface SheetOfRun {
  /** Adds an image with its JSON results of this run. Missing results are taken from the earlier run. */
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
  /** Ends the wait for the reader of a pipe. */
  readonly signal?: AbortSignal;
}

type SheetTask = Pick<ImageTask<never, never>, 'promptOf' | 'prompts'> & {
  readonly sheetText: NonNullable<ImageTask<never, never>['sheetText']>;
};

/**
 * Opens the sheet of `--report`.
 * @throws Blip2Error `INVALID_ARGUMENT` if the earlier results are not JSON lines; `WRITE_FAILED`.
 */
export async function sheetOfRun(
  task: SheetTask,
  { report, output, title, signal }: Omit<SheetSettings, 'inputs'>,
  { done }: Pick<ResultSink, 'done'>,
): Promise<SheetOfRun> {
  const earlier =
    done.size > 0 && output !== undefined ? await earlierTexts(task, output) : new Map<string, SheetText>();
  const sheet = contactSheet(report, title, signal);
  return {
    async add({ name, thumbnail, failure }, results) {
      const current = new Map(results.map((result) => [keyOfLine(task, result), task.sheetText(result)]));
      const texts = task.prompts.flatMap(
        (prompt) => current.get(keyOf(name, prompt)) ?? earlier.get(keyOf(name, prompt)) ?? [],
      );
      // An image that was deleted since the earlier run still has its texts.
      await sheet.add({ name, texts, thumbnail, failure: texts.length > 0 ? undefined : failure });
    },
    close: (outcome) => sheet.close(outcome),
  };
}

/**
 * Checks, before any work, that `sheetOfRun` can write the sheet.
 * @throws Blip2Error `INVALID_ARGUMENT` if it would overwrite an input or the results; `WRITE_FAILED`.
 */
export async function expectSheet({ report, output, inputs }: Omit<SheetSettings, 'title' | 'signal'>): Promise<void> {
  if (!/\.html?$/i.test(report)) throw mustBe('--report', 'a file ending in .html', report);
  if (output !== undefined && resolve(output) === resolve(report))
    throw mustBe('--report', 'another file than --output', report);
  await expectNoInput(report, inputs);
  await expectWritable(report);
}

function earlierTexts(task: SheetTask, output: string): Promise<ReadonlyMap<string, SheetText>> {
  if (isJsonLines(output)) return earlierResults(output, (line) => keyOfLine(task, line), task.sheetText);
  throw new Blip2Error(
    'INVALID_ARGUMENT',
    'A resumed run can only write a contact sheet if its results are JSON lines',
    { where: '--report', got: output, fix: 'Start over with --restart, or write results to a .jsonl file' },
  );
}
