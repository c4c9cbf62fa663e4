import type { LanguageModel, Logits } from '@blip2/interfaces';

import type { BatchedDecoding } from './batched-decoding.ts';
import { createRunningBatch, type PendingStep } from './running-batch.ts';

/** What is decoded and what waits, now. */
export interface BatchStatus {
  /** Rows of the running batch. */
  readonly rows: number;
  /** Prompts that wait, and steps that wait for others to leave the batch. */
  readonly waiting: number;
  /** Steps of the model so far. */
  readonly steps: number;
  /** Rows of all steps so far. */
  readonly rowSteps: number;
}

/** Decides what a language model does next. */
export interface StepScheduler extends Pick<LanguageModel, 'vocabularySize' | 'maxPositions'> {
  readonly status: BatchStatus;
  /** One step of a decoding, together with those of others. */
  step(view: BatchedDecoding, ids: readonly number[], parents: readonly number[]): Promise<Logits>;
  /** Work for which the model runs, such as a prompt. One at a time, between two steps. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Work for which it does not, such as a crop. Between two steps. */
  between<T>(work: () => Promise<T>): Promise<T>;
  /** Gives a decoding a place that it does not share. Called between two steps. */
  separate(view: BatchedDecoding): Promise<void>;
  /** Removes the rows of a decoding. Called between two steps. */
  remove(view: BatchedDecoding): Promise<void>;
  /** Rows of the decoding that a decoding has its place in. */
  rowsOf(view: BatchedDecoding): number;
}

type Job = () => Promise<void>;

/**
 * Creates the scheduler of a model. In each round it does what needs no run of the model, one job for which the model
 * runs, and one step of all rows that are ready; so the first token of a new request waits for one prompt and one step
 * of the others.
 */
export function createStepScheduler(language: LanguageModel, maxRows: number): StepScheduler {
  const { vocabularySize, maxPositions } = language;
  const between: Job[] = [];
  const alone: Job[] = [];
  let steps: PendingStep[] = [];
  const batch = createRunningBatch();
  let isRunning = false;
  const count = { steps: 0, rowSteps: 0 };

  async function run(): Promise<void> {
    isRunning = true;
    for (;;) {
      // The others of the last step are still choosing their tokens.
      if (steps.length > 0 && batch.isIncomplete(steps)) await allReady();
      for (let job = between.shift(); job; job = between.shift()) await job();
      await alone.shift()?.();
      if (steps.length > 0) await runStep();
      if (between.length + alone.length + steps.length === 0) break;
    }
    isRunning = false;
  }

  async function runStep(): Promise<void> {
    if (batch.isIncomplete(steps)) await allReady();
    const admitted = admit();
    try {
      await batch.step(admitted);
      count.steps++;
      count.rowSteps += batch.rows;
    } catch (error) {
      for (const { reject } of admitted) reject(error);
    }
  }

  /** Takes the steps that fit into the batch: those of its members, and others in order. */
  function admit(): PendingStep[] {
    let rows = steps.reduce((sum, { view, ids }) => sum + (batch.has(view) ? ids.length : 0), 0);
    const admitted: PendingStep[] = [];
    const rest: PendingStep[] = [];
    for (const step of steps) {
      const isMember = batch.has(step.view);
      const fits = isMember || (rest.length === 0 && (rows === 0 || rows + step.ids.length <= maxRows));
      if (fits && !isMember) rows += step.ids.length;
      (fits ? admitted : rest).push(step);
    }
    steps = rest;
    return admitted;
  }

  const wake = (): void => {
    if (!isRunning) void run();
  };
  const enqueue = <T>(jobs: Job[], work: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      jobs.push(() => work().then(resolve, reject));
      wake();
    });
  return {
    vocabularySize,
    maxPositions,
    status: {
      get rows() {
        return batch.rows;
      },
      get waiting() {
        return alone.length + steps.filter(({ view }) => !batch.has(view)).length;
      },
      get steps() {
        return count.steps;
      },
      get rowSteps() {
        return count.rowSteps;
      },
    },
    step: (view, ids, parents) =>
      new Promise((resolve, reject) => {
        steps.push({ view, ids, parents, resolve, reject });
        wake();
      }),
    alone: (work) => enqueue(alone, work),
    between: (work) => enqueue(between, work),
    separate: (view) => batch.separate(view),
    remove: (view) => batch.remove(view),
    rowsOf: (view) => batch.rowsOf(view),
  };
}

/** Resolves when everything that is ready to run has run: the requests that have got their logits have used them. */
function allReady(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
