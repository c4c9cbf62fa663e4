import type { ReactiveController, ReactiveControllerHost } from 'lit';

import { isAbort } from '../api/api-error.ts';

/** One task of a view at a time: whether it runs, how it failed, and how to stop it. */
export class TaskRun implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  #aborting: AbortController | undefined;
  #subject: unknown;
  #failed: { readonly subject: unknown; readonly error: unknown; readonly again: () => void } | undefined;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  /** Whether the task runs for this subject. */
  isBusy(subject?: unknown): boolean {
    return this.#aborting !== undefined && (subject === undefined || this.#subject === subject);
  }

  /** How the last task failed, if it was for this subject. */
  failure(subject: unknown): { readonly error: unknown; readonly again: () => void } | undefined {
    return this.#failed?.subject === subject ? this.#failed : undefined;
  }

  /** Runs a task; one that still runs is stopped. Returns whether it came to its end. */
  async run(subject: unknown, work: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    this.stop();
    const aborting = new AbortController();
    [this.#aborting, this.#subject, this.#failed] = [aborting, subject, undefined];
    this.#host.requestUpdate();
    try {
      await work(aborting.signal);
      return !aborting.signal.aborted;
    } catch (error) {
      if (!aborting.signal.aborted && !isAbort(error))
        this.#failed = { subject, error, again: () => void this.run(subject, work) };
      return false;
    } finally {
      if (this.#aborting === aborting) this.#aborting = undefined;
      this.#host.requestUpdate();
    }
  }

  stop(): void {
    this.#aborting?.abort();
    this.#aborting = undefined;
    this.#host.requestUpdate();
  }

  dismiss(): void {
    this.#failed = undefined;
    this.#host.requestUpdate();
  }

  hostDisconnected(): void {
    this.stop();
  }
}
