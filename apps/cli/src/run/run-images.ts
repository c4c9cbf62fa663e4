import { Blip2Error } from '@blip2/interfaces';
import type { Environment } from '../environment.ts';
import { ExitCode } from '../exit-code.ts';
import { originalError } from '../failure.ts';
import { expandImages } from '../images/expand-images.ts';
import type { ImageInput } from '../images/image-input.ts';
import { openModel } from '../model/open-model.ts';
import type { ImageOptions } from '../options/common-options.ts';
import { expectNoInput, isJsonLines, openSink } from '../output/open-sink.ts';
import type { Outcome, ResultSink } from '../output/result-sink.ts';
import type { ResumeOptions } from '../output/resumable-file.ts';
import { describeRun } from '../output/run-record.ts';
import type { ImageTask } from './image-task.ts';
import { isAbort, listenForInterrupts } from './interruption.ts';
import { oneAhead } from './one-ahead.ts';
import { createProgress } from './progress.ts';
import { batchesOf, type Pending } from './batches.ts';
import { reportBatch } from './report-batch.ts';

/** Does a task for all pictures that the arguments name, in order, and says how it ended. */
export async function runImages<Result, Model extends AsyncDisposable>(task: ImageTask<Result, Model>, args: readonly string[], options: ImageOptions, environment: Environment): Promise<ExitCode> {
  using interruption = listenForInterrupts(environment, options.quiet === true);
  const inputs = await expandImages(args, { recursive: options.recursive === true, signal: interruption.signal }, environment);
  if (inputs.length === 0) throw new Blip2Error('INVALID_ARGUMENT', 'There are no images to work on', { got: args.join(' ') });
  await expectNoInput(options.output, inputs.map(({ name }) => name));
  const resume: ResumeOptions = {
    record: await describeRun(task.command, options.model ?? task.model.demoFolder, { ...task.options, dtype: options.dtype, device: options.device }),
    restart: options.restart === true,
    keyOf: (line) => keyOfLine(task, line),
  };
  const own = await task.openOutput?.({ output: options.output, inputs: inputs.map(({ name }) => name), resume });
  const sink = own ?? await openSink(options.output, environment.stdout, resume);
  const json = own !== undefined || options.json === true || isJsonLines(options.output);
  const run: Run<Result, Model> = { json, task, options, environment, sink, signal: interruption.signal, pending: pendingOf(inputs, task.parts, sink) };
  const tally: Tally = { inputs: inputs.length, done: inputs.length - run.pending.length, failed: 0 };
  let outcome: Outcome = 'failed';
  try {
    await work(run, tally);
    outcome = 'finished';
  } catch (error) {
    if (!interruption.signal.aborted || !isAbort(originalError(error))) throw error;
    outcome = 'interrupted';
  } finally {
    await sink.close(outcome);
    // What was not read must not keep the process waiting.
    if (inputs.some((input) => 'source' in input && input.source === 'stdin')) environment.stdin.destroy();
  }
  return conclude(outcome, tally, { quiet: options.quiet === true, resumable: sink.resumable }, environment);
}

interface Run<Result, Model extends AsyncDisposable> {
  readonly json: boolean;
  readonly task: ImageTask<Result, Model>;
  readonly options: ImageOptions;
  readonly environment: Environment;
  readonly sink: ResultSink;
  readonly signal: AbortSignal;
  readonly pending: readonly Pending[];
}

/** Images, counted as the run goes. */
interface Tally {
  readonly inputs: number;
  done: number;
  failed: number;
}

async function work<Result, Model extends AsyncDisposable>({ json, task, options, environment, sink, signal, pending }: Run<Result, Model>, tally: Tally): Promise<void> {
  if (pending.length === 0) return;
  const progress = createProgress(environment, options.progress && options.quiet !== true && tally.inputs > 1);
  // Pictures are decoded while the model is loaded, and later while it works.
  const batches = oneAhead(batchesOf(pending, options.batchSize, environment, signal));
  await using model = await openModel(task.model, options, environment, signal);
  progress.show(tally.done, tally.inputs);
  for await (const batch of batches) {
    const decoded = batch.filter((entry) => 'image' in entry);
    const results = decoded.length > 0 ? await task.perform(model, decoded, signal) : [];
    // An interrupted generation may come back with rows that are cut off.
    signal.throwIfAborted();
    progress.clear();
    await reportBatch({ batch, results, task, json, sink, stderr: environment.stderr });
    tally.done += decoded.length;
    tally.failed += batch.length - decoded.length;
    progress.show(tally.done + tally.failed, tally.inputs);
  }
  progress.clear();
}

function pendingOf(inputs: readonly ImageInput[], parts: readonly string[], { done }: ResultSink): Pending[] {
  return inputs.map((input) => ({ input, parts: parts.filter((part) => !done.has(keyOf(input.name, part))) })).filter((pending) => pending.parts.length > 0);
}

function keyOf(image: string, part: string): string {
  return JSON.stringify([image, part]);
}

function keyOfLine(task: Pick<ImageTask<never, never>, 'partOf'>, line: Readonly<Record<string, unknown>>): string | undefined {
  const { image, error } = line;
  const part = task.partOf(line);
  return typeof image === 'string' && error === undefined && part !== undefined ? keyOf(image, part) : undefined;
}

function conclude(outcome: Outcome, { inputs, done, failed }: Tally, { quiet, resumable }: { readonly quiet: boolean; readonly resumable: boolean }, { stderr }: Environment): ExitCode {
  if (failed > 0) stderr.write(`${failed} of ${inputs} images failed.\n`);
  if (outcome === 'finished') return failed > 0 ? ExitCode.someInputsFailed : ExitCode.done;
  const resume = resumable ? ' Run the same command again to go on.' : '';
  if (!quiet) stderr.write(`Interrupted: ${done} of ${inputs} images done.${resume}\n`);
  return ExitCode.interrupted;
}
