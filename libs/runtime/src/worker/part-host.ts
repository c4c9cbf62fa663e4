import type { ResourceLimits } from 'node:worker_threads';

import type { PartSpec } from './part-export.ts';

/** Where parts run. */
export type Isolation = 'inline' | 'worker' | 'process';

export interface PartHostOptions {
  /**
   * `inline`: the calling thread. `worker`: a worker thread, so that runs never block the caller's event loop.
   * `process`: a child process, so that a crash of native code or an out-of-memory kill ends only the calls in it.
   */
  readonly isolate: Isolation;
  /**
   * Limits of the JavaScript heap of a thread or process. A part that exceeds them is lost with its worker, and its
   * calls fail with `WORKER_FAILED`.
   */
  readonly resourceLimits?: ResourceLimits;
}

/**
 * A host creates parts and owns them: disposing of it disposes of all its parts, newest first.
 *
 * In a worker, which is a thread or a child process, the parts of one host run strictly one call after another. The
 * caller uses each part through a remote of the same interface: data properties are refreshed after every call, methods
 * return
 * promises, and results with methods become remotes too. Remotes may be passed as arguments. Typed arrays are copied.
 * An abort rejects the call at once, and its work ends between two runs. Callbacks named `on…` are called on the
 * caller's
 * thread. Other functions are rejected.
 *
 * Calls in progress in a worker that ends fail with `WORKER_FAILED`. The next call starts another worker and creates
 * the parts that it needs again, with the same arguments. Results with methods, such as a decoding, are lost. After
 * three
 * workers in a row that completed no call, calls fail for 30 seconds.
 */
export interface PartHost extends AsyncDisposable {
  readonly isolate: Isolation;
  /**
   * Starts the worker and imports a module there, so that its parts are created sooner. Resolves when it has, or has
   * failed to: errors are left to `create`. Does nothing in an inline host.
   */
  start(module: string | URL): Promise<void>;
  /**
   * Creates a part by calling an exported function in the thread or process of the host. `T` is the part's interface;
   * its methods
   * must be async, since a remote returns promises.
   *
   * @throws Blip2Error `INVALID_ARGUMENT` if there is no such function or an argument cannot be transferred.
   * @throws Blip2Error `WORKER_FAILED` if the worker is lost.
   * @throws Blip2Error `DISPOSED` if the host has been disposed.
   */
  create<T extends object>(spec: PartSpec): Promise<T>;
  /**
   * Disposes of the host without waiting for its worker, which may hang. A process that has not ended after 5 s is
   * killed; calls in progress then fail with `DISPOSED`.
   */
  abandon(): void;
}
