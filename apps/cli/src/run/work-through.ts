import type { Environment } from '../environment.ts';
import { readingThreads } from '../images/reading-threads.ts';
import type { ImageModel, OpenedImage, Resizing } from '../model/model-port.ts';
import { openModel } from '../model/open-model.ts';
import type { ImageOptions } from '../options/common-options.ts';
import type { ResultSink } from '../output/result-sink.ts';
import { batchesOf } from './batches.ts';
import type { ImageTask } from './image-task.ts';
import { inOrder } from './in-order.ts';
import { oneAhead } from './one-ahead.ts';
import { type Opened, openPending, type Pending } from './open-pending.ts';
import { createProgress } from './progress.ts';
import { reportBatch } from './report-batch.ts';
import type { SheetOfRun } from './sheet-of-run.ts';
import { streamLine } from './stream-line.ts';

export interface Run<Result, Model extends ImageModel> {
  readonly json: boolean;
  /** The one line that there is may be written as it comes. */
  readonly live: boolean;
  readonly task: ImageTask<Result, Model>;
  readonly options: ImageOptions;
  readonly environment: Environment;
  readonly sink: ResultSink;
  readonly sheet: SheetOfRun | undefined;
  readonly signal: AbortSignal;
  /** Images with nothing left to do are among them only if they belong on the sheet. */
  readonly pending: readonly Pending[];
}

/** Images, counted as the run goes. */
export interface Tally {
  readonly inputs: number;
  done: number;
  failed: number;
}

/**
 * Opens the images, performs the task and writes what comes of it, a batch at a time. The next batch is opened on other
 * threads meanwhile.
 */
export async function workThrough<Result, Model extends ImageModel>(
  run: Run<Result, Model>,
  tally: Tally,
): Promise<void> {
  const { task, options, environment, signal, pending } = run;
  if (pending.length === 0) return;
  const progress = createProgress(environment, options.progress && options.quiet !== true && tally.inputs > 1);
  // One image is opened at once, while the model is loaded; several wait for the size that the model says, and take
  // little memory from then on.
  await using reader = pending.length > 1 ? await environment.openReader(readingThreads(pending)) : undefined;
  const early = reader ? undefined : openedBatches(run, environment.openImage, 1, undefined);
  // Where only images for the sheet are missing, there is nothing to ask it.
  await using model = pending.some(({ parts }) => parts.length > 0)
    ? await openModel(task.model, options, environment, signal)
    : undefined;
  const batches =
    early ?? openedBatches(run, reader?.open ?? environment.openImage, reader?.threads ?? 1, model?.resizing);
  progress.show(tally.done, tally.inputs);
  for await (const batch of batches) {
    const items = batch.filter(hasWork);
    const [first] = items;
    if (run.live && task.stream && model && first) {
      await streamLine(first.name, task.stream(model, first.image, first.parts[0] ?? '', signal), run.sink, signal);
    } else {
      const results = model && items.length > 0 ? await task.perform(model, items, signal) : [];
      // An interrupted generation may come back with rows that are cut off.
      signal.throwIfAborted();
      progress.clear();
      await reportBatch({ ...run, batch, results, stderr: environment.stderr });
    }
    tally.done += items.length;
    tally.failed += batch.filter((image) => 'error' in image && image.parts.length > 0).length;
    progress.show(tally.done + tally.failed, tally.inputs);
  }
  progress.clear();
}

function openedBatches(
  run: Pick<Run<never, never>, 'pending' | 'environment' | 'options' | 'signal' | 'sheet'>,
  open: Environment['openImage'],
  threads: number,
  resizing: Resizing | undefined,
): AsyncIterable<readonly Opened[]> {
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

function hasWork(image: Opened): image is Extract<Opened, OpenedImage> {
  return 'image' in image && image.parts.length > 0;
}
