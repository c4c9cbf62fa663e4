import type { AdapterSelection } from '../adapters/named-adapters.ts';
import type { CallQueue, QueueOptions } from '../lifetime/call-queue.ts';

/** What the tasks of a model run with. */
export interface TaskRun {
  readonly dispose: () => Promise<void>;
  readonly queue: CallQueue;
  readonly batching: QueueOptions['batching'];
  readonly setAdapters?: (names: AdapterSelection) => Promise<void>;
}
