import type { ResourceLimits } from 'node:worker_threads';

import type { PartSpec } from './part-export.ts';

export interface PartHostOptions {
  /** `worker`: a worker thread, so that runs never block the caller's event loop. `inline`: the calling thread. */
  readonly isolate: 'inline' | 'worker';
  /**
   * Limits of the worker's JavaScript heap. A part that exceeds them is lost with its worker, and its calls fail with
   * `WORKER_FAILED`.
   */
  readonly resourceLimits?: ResourceLimits;
}

/**
 * A host creates parts and owns them: disposing of it disposes of all its parts, newest first.
 *
 * In a worker, the parts of one host share a thread, and their calls run strictly one after another. The caller uses
 * each part through a remote of the same interface: data properties are refreshed after every call, methods return
 * promises, and results with methods become remotes too. Remotes may be passed as arguments. Typed arrays are copied.
 * An `AbortSignal` takes effect between runs, and callbacks named `on…` are called on the caller's thread. Other
 * functions are rejected.
 */
export interface PartHost extends AsyncDisposable {
  readonly isolate: 'inline' | 'worker';
  /**
   * Starts the worker and imports a module there, so that its parts are created sooner. Errors are left to `create`.
   * Does nothing in an inline host.
   */
  start(module: string | URL): void;
  /**
   * Creates a part by calling an exported function in the thread of the host. `T` is the part's interface; its methods
   * must be async, since a remote returns promises.
   *
   * @throws Blip2Error `INVALID_ARGUMENT` if there is no such function or an argument cannot be transferred.
   * @throws Blip2Error `WORKER_FAILED` if the worker is lost.
   * @throws Blip2Error `DISPOSED` if the host has been disposed.
   */
  create<T extends object>(spec: PartSpec): Promise<T>;
}
