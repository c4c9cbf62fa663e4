import type { ResourceLimits } from 'node:worker_threads';

import { createInlinePartHost } from './inline-part-host.ts';
import type { PartSpec } from './part-export.ts';
import { createWorkerPartHost } from './worker-part-host.ts';

export interface PartHostOptions {
  /** `worker`: a thread of its own, so that runs never block the caller's event loop. `inline`: the calling thread. */
  readonly isolate: 'inline' | 'worker';
  /** Limits of the worker's JavaScript heap; a part that exceeds them is lost with its worker (WORKER_FAILED). */
  readonly resourceLimits?: ResourceLimits;
}

/**
 * A place for parts, which owns them: disposing of the host disposes of every part in it, newest first.
 *
 * In a worker the parts of one host share one thread, and their calls run strictly one after another. Each is used
 * through a remote of the same interface: data properties are refreshed after every call, methods return promises,
 * objects with methods among the results become remotes too, and remotes may be passed as arguments. Typed arrays are
 * copied. An `AbortSignal` takes effect between runs; callbacks named `on…` are called here. Other functions are
 * refused.
 */
export interface PartHost extends AsyncDisposable {
  readonly isolate: 'inline' | 'worker';
  /**
   * Starts the worker and lets it import a module, so that a part from there is made sooner. What goes wrong is left to
   * `create`. In the calling thread nothing is gained, and nothing done.
   */
  start(module: string | URL): void;
  /**
   * Makes a part by calling an exported function where the part is to live. `T` is the part's interface with async
   * methods, as the seams are: a synchronous method would return a promise here.
   * INVALID_ARGUMENT if there is no such function or an argument cannot cross; WORKER_FAILED if the worker is lost.
   */
  create<T extends object>(spec: PartSpec): Promise<T>;
}

/**
 * Opens a place for parts. A worker starts with its first part or `start`, and does not keep the process alive while it
 * is idle.
 */
export function createPartHost({ isolate, resourceLimits }: PartHostOptions): PartHost {
  return isolate === 'worker' ? createWorkerPartHost(resourceLimits) : createInlinePartHost();
}
