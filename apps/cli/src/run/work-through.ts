import type { Environment } from '../environment.ts';
import type { OpenedImage, Resizing } from '../images/image-port.ts';
import { readingThreads } from '../images/reading-threads.ts';
import type { ImageModel } from '../model/model-port.ts';
import { openModel, startHosts } from '../model/open-model.ts';
import type { RunNumbers } from '../model/run-numbers.ts';
import type { ImageOptions } from '../options/common-options.ts';
import type { ResultSink } from '../output/result-sink.ts';
import { batchesOf } from './batches.ts';
import type { ImageTask } from './image-task.ts';
import { inOrder } from './in-order.ts';
import { oneAhead } from './one-ahead.ts';
import { type OpenedInput, openPending, type Pending } from './open-pending.ts';
import { createProgress } from './progress.ts';
import { reportBatch } from './report-batch.ts';
import type { SheetOfRun } from './sheet-of-run.ts';
import { streamLine } from './stream-line.ts';

export interface Run<Result, Model extends ImageModel> {
  readonly json: boolean;
  /** Stream the only line. */
  readonly live: boolean;
  readonly task: ImageTask<Result, Model>;
  readonly options: ImageOptions;
  readonly numbers: RunNumbers;
  readonly environment: Environment;
  readonly sink: ResultSink;
  readonly sheet: SheetOfRun | undefined;
  readonly signal: AbortSignal;
  /** Finished images are included only if there is a sheet. */
  readonly pending: readonly Pending[];
}

/** Counters of images, updated during the run. */
export interface Tally {
  readonly inputs: number;
  done: number;
  failed: number;
}

/** Opens images, runs the task and writes its results, batch by batch. Other threads open the next batch meanwhile. */
export async function workThrough<Result, Model extends ImageModel>(
  run: Run<Result, Model>,
  tally: Tally,
): Promise<void> {
  const { task, options, numbers, environment, signal, pending } = run;
  if (pending.length === 0) return;
  const progress = createProgress(environment, options.progress && options.quiet !== true && tally.inputs > 1);
  // If only the images of the sheet are missing, no model is needed.
  const needsModel = pending.some(({ prompts }) => prompts.length > 0);
  numbers.choose({ rows: rowsOf(run) });
  const hosts = needsModel ? await startHosts(task.model, options, environment) : undefined;
  // One image is opened while the model loads. Several images are opened after that, so that they can be resized to the
  // model's size and take little memory.
  await using reader = pending.length > 1 ? await environment.openReader(readingThreads(pending)) : undefined;
  const early = reader ? undefined : openedBatches(run, environment.openImage, 1, undefined);
  await using model = needsModel
    ? await openModel(task.model, options, environment, signal, {
        hosts,
        repeated: pending.length > 1,
        numbers,
      })
    : undefined;
  const batches =
    early ?? openedBatches(run, reader?.open ?? environment.openImage, reader?.threads ?? 1, model?.resizing);
  progress.show(tally.done, tally.inputs);
  for await (const batch of batches) {
    const items = batch.filter(hasWork);
    const [first] = items;
    if (run.live && task.stream && model && first) {
      await streamLine(first.name, task.stream(model, first.image, first.prompts[0] ?? '', signal), run.sink, signal);
    } else {
      const results = model && items.length > 0 ? await task.perform(model, items, signal) : [];
      // An interrupted generation may return incomplete texts.
      signal.throwIfAborted();
      progress.clear();
      await reportBatch({ ...run, batch, results, stderr: environment.stderr });
    }
    tally.done += items.length;
    tally.failed += batch.filter((image) => 'error' in image && image.prompts.length > 0).length;
    progress.show(tally.done + tally.failed, tally.inputs);
  }
  progress.clear();
}

function openedBatches(
  run: Pick<Run<never, never>, 'pending' | 'environment' | 'options' | 'signal' | 'sheet'>,
  open: Environment['openImage'],
  threads: number,
  resizing: Resizing | undefined,
): AsyncIterable<readonly OpenedInput[]> {
  const {
    pending,
    environment: { stdin },
    options: { batchSize, allowPrivateUrls },
    signal,
    sheet,
  } = run;
  const opening = { open, stdin, resizing, allowPrivateUrls, thumbnail: sheet !== undefined, signal };
  return oneAhead(
    batchesOf(
      inOrder(pending, threads, (next) => openPending(next, opening)),
      batchSize,
    ),
  );
}

/** Rows of the decoding steps of a full batch. */
function rowsOf({
  pending,
  task,
  options: { batchSize },
}: Pick<Run<never, never>, 'pending' | 'options'> & {
  readonly task: Pick<ImageTask<never, never>, 'options'>;
}): number {
  const texts = pending.reduce((sum, { prompts }) => sum + prompts.length, 0);
  const beams = task.options['numBeams'];
  return Math.max(1, Math.min(batchSize, texts)) * (typeof beams === 'number' ? beams : 1);
}

function hasWork(image: OpenedInput): image is Extract<OpenedInput, OpenedImage> {
  return 'image' in image && image.prompts.length > 0;
}
