import { mustBe } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { ExitCode } from '../exit-code.ts';
import { expandImages } from '../images/expand-images.ts';
import type { ImageInput } from '../images/image-inputs.ts';
import type { ImageModel } from '../model/model-port.ts';
import { withSource } from '../model/model-source.ts';
import type { TextTaskOptions } from '../options/text-task-options.ts';
import { openSink } from '../output/open-sink.ts';
import { whileLocked } from '../output/output-lock.ts';
import { expectNoInput, isJsonLines } from '../output/output-path.ts';
import type { Outcome, ResultSink } from '../output/result-sink.ts';
import type { ImageTask } from './image-task.ts';
import { listenForInterrupts } from './interruption.ts';
import { noteDoneBefore } from './note-done-before.ts';
import { outcomeOf } from './outcome-of.ts';
import { keyOfLine, pendingOf } from './result-keys.ts';
import { recordedModel, resumeOptionsOf } from './resume-options.ts';
import { expectSheet, type SheetOfRun, sheetOfRun } from './sheet-of-run.ts';
import { type Tally, workThrough } from './work-through.ts';

/** Runs a task on all images of the arguments, in order, and returns the exit code. */
export async function runImages<Result, Model extends ImageModel>(
  task: ImageTask<Result, Model>,
  args: readonly string[],
  options: TextTaskOptions,
  environment: Environment,
): Promise<ExitCode> {
  using interruption = listenForInterrupts(environment, options.quiet === true);
  const { signal } = interruption;
  const { recursive = false, quiet } = options;
  const inputs = await expandImages(args, { recursive, quiet, signal }, environment);
  if (inputs.length === 0) throw mustBe('IMAGE', 'at least one image', args.join(' '));
  const names = inputs.map(({ name }) => name);
  await expectNoInput(options.output, names);
  if (options.report !== undefined)
    await expectSheet({ report: options.report, output: options.output, inputs: names });
  return await whileLocked([options.output, options.report], signal, () =>
    runOn(task, inputs, options, environment, signal),
  );
}

async function runOn<Result, Model extends ImageModel>(
  task: ImageTask<Result, Model>,
  inputs: readonly ImageInput[],
  options: TextTaskOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<ExitCode> {
  // Folders that cannot be read have no results.
  const names = inputs.filter((input) => 'source' in input).map(({ name }) => name);
  const model = await recordedModel(task, options, environment, signal);
  const resume = await resumeOptionsOf(task, options, model, (line) => keyOfLine(task, line), signal);
  const own = await task.openOutput?.({ output: options.output, inputs: names, resume });
  const sink = own ?? (await openSink(options.output, environment.stdout, resume));
  const sheet = await openSheet(task, options, sink, signal);
  const json = own !== undefined || options.json === true || isJsonLines(options.output);
  const all = pendingOf(inputs, task.prompts, sink);
  const pending = all.filter(({ prompts }) => prompts.length > 0);
  const tally: Tally = { inputs: inputs.length, done: inputs.length - pending.length, failed: 0 };
  // Stream only one line to a terminal. Programs and files get whole lines, and several images are faster in batches.
  const live =
    !json &&
    sheet === undefined &&
    options.output === undefined &&
    environment.stdout.isTTY === true &&
    inputs.length === 1 &&
    task.prompts.length === 1;
  const outcome = await outcomeOf(
    () =>
      workThrough(
        {
          json,
          live,
          task,
          options: withSource(options, model.snapshot),
          numbers: resume.numbers,
          environment,
          sink,
          sheet,
          signal,
          pending: sheet ? all : pending,
        },
        tally,
      ),
    async (end) => {
      await closeBoth(sink, sheet, end);
      // Unread input would keep the process alive.
      if (inputs.some((input) => 'source' in input && input.source === 'stdin')) environment.stdin.destroy();
    },
    signal,
  );
  const quiet = options.quiet === true;
  if (!quiet) noteDoneBefore(inputs.length - pending.length, inputs.length, 'images', environment);
  return conclude(outcome, tally, { quiet, resumable: sink.resumable }, environment);
}

async function openSheet<Result, Model extends ImageModel>(
  { sheetText, ...task }: ImageTask<Result, Model>,
  { report, output, model, dtype }: TextTaskOptions,
  sink: ResultSink,
  signal: AbortSignal,
): Promise<SheetOfRun | undefined> {
  if (report === undefined || !sheetText) return undefined;
  return sheetOfRun(
    { ...task, sheetText },
    { report, output, title: { command: task.command, model: model ?? 'the built-in demo', dtype }, signal },
    sink,
  );
}

async function closeBoth(sink: ResultSink, sheet: SheetOfRun | undefined, outcome: Outcome): Promise<void> {
  try {
    await sink.close(outcome);
  } finally {
    await sheet?.close(outcome);
  }
}

function conclude(
  outcome: Outcome,
  { inputs, done, failed }: Tally,
  { quiet, resumable }: { readonly quiet: boolean; readonly resumable: boolean },
  { stderr }: Environment,
): ExitCode {
  if (failed > 0) stderr.write(`${failed} of ${inputs} images failed.\n`);
  if (outcome === 'finished') return failed > 0 ? ExitCode.someInputsFailed : ExitCode.done;
  const resume = resumable ? ' Run the same command again to resume.' : '';
  if (!quiet) stderr.write(`Interrupted: ${done} of ${inputs} images done.${resume}\n`);
  return ExitCode.interrupted;
}
