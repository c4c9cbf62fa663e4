import type { Environment } from '../environment.ts';
import { ExitCode } from '../exit-code.ts';
import { type ModelKind } from '../model/model-kinds.ts';
import { withSource } from '../model/model-source.ts';
import { openModel } from '../model/open-model.ts';
import type { RunNumbers } from '../model/run-numbers.ts';
import type { ImageOptions } from '../options/common-options.ts';
import { jsonLine } from '../output/display-text.ts';
import { openSink } from '../output/open-sink.ts';
import { whileLocked } from '../output/output-lock.ts';
import type { OpenOutput } from '../output/output-request.ts';
import type { ResultSink } from '../output/result-sink.ts';
import { listenForInterrupts } from './interruption.ts';
import { noteDoneBefore } from './note-done-before.ts';
import { outcomeOf } from './outcome-of.ts';
import { leftOf } from './result-keys.ts';
import { recordedModel, resumeOptionsOf } from './resume-options.ts';

/** The work of a command on texts without images. */
export interface TextTask<Result, Model extends AsyncDisposable> {
  readonly command: string;
  readonly model: ModelKind<Model>;
  readonly options: Readonly<Record<string, unknown>>;
  /** Returns one result per text. */
  perform(model: Model, texts: readonly string[], signal: AbortSignal): Promise<readonly Result[]>;
  toJson(text: string, result: Result): Readonly<Record<string, unknown>>;
  readonly openOutput?: OpenOutput;
}

/** Runs a task on texts, in order, writes a JSON line for each, and returns the exit code. */
export async function runTexts<Result, Model extends AsyncDisposable>(
  task: TextTask<Result, Model>,
  texts: readonly string[],
  options: ImageOptions,
  environment: Environment,
): Promise<ExitCode> {
  using interruption = listenForInterrupts(environment, options.quiet === true);
  const { signal } = interruption;
  return await whileLocked([options.output], signal, () => runOn(task, texts, options, environment, signal));
}

async function runOn<Result, Model extends AsyncDisposable>(
  task: TextTask<Result, Model>,
  texts: readonly string[],
  options: ImageOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<ExitCode> {
  const model = await recordedModel(task, options, environment, signal);
  const resume = await resumeOptionsOf(
    task,
    options,
    model,
    ({ text }) => (typeof text === 'string' ? text : undefined),
    signal,
  );
  const { output } = options;
  const sink =
    (await task.openOutput?.({ output, inputs: texts, resume })) ??
    (await openSink(output, environment.stdout, resume));
  const work = async (): Promise<void> => {
    const pending = leftOf(texts, sink.done);
    if (options.quiet !== true) noteDoneBefore(texts.length - pending.length, texts.length, 'texts', environment);
    const loaded = withSource(options, model.snapshot);
    if (pending.length > 0)
      await writeResults(task, pending, loaded, { environment, sink, signal, numbers: resume.numbers });
  };
  const outcome = await outcomeOf(work, (end) => sink.close(end), signal);
  return outcome === 'finished' ? ExitCode.done : ExitCode.interrupted;
}

interface TextRun {
  readonly environment: Environment;
  readonly sink: ResultSink;
  readonly signal: AbortSignal;
  readonly numbers: RunNumbers;
}

async function writeResults<Result, Model extends AsyncDisposable>(
  task: TextTask<Result, Model>,
  pending: readonly string[],
  options: ImageOptions,
  { environment, sink, signal, numbers }: TextRun,
): Promise<void> {
  await using model = await openModel(task.model, options, environment, signal, {
    repeated: pending.length > options.batchSize,
    numbers,
  });
  for (let start = 0; start < pending.length; start += options.batchSize) {
    const batch = pending.slice(start, start + options.batchSize);
    const results = await task.perform(model, batch, signal);
    signal.throwIfAborted();
    const lines = results.map((result, index) => jsonLine(task.toJson(batch[index] ?? '', result)));
    await sink.write(lines.join(''));
  }
}
