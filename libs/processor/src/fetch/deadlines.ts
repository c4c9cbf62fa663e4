/** Deadlines of a request: one that progress extends, and one for everything. */
export interface Deadlines {
  /** Aborts at a deadline, or when the caller aborts. */
  readonly signal: AbortSignal;
  /** Starts the time without progress anew. */
  extend(): void;
  /** Suspends the time without progress until `extend`. */
  pause(): void;
  /** The deadline that has passed, in words. */
  passed(): string | undefined;
  /** Stops the clocks. */
  end(): void;
}

/** Starts both clocks; times in milliseconds. */
export function createDeadlines(stall: number, total: number, caller: AbortSignal | undefined): Deadlines {
  const controller = new AbortController();
  let passed: string | undefined;
  const pass = (reason: string) => (): void => {
    passed ??= reason;
    controller.abort();
  };
  const stalled = pass(`no data within ${stall / 1000} s`);
  let progress: NodeJS.Timeout | undefined;
  const start = (): void => {
    clearTimeout(progress);
    // Data that arrived while this thread was busy is delivered before the check.
    const timer = setTimeout(() => setImmediate(() => progress === timer && stalled()), stall);
    progress = timer;
  };
  const stop = (): void => {
    clearTimeout(progress);
    progress = undefined;
  };
  start();
  const all = setTimeout(pass(`no complete answer within ${total / 1000} s`), total);
  return {
    signal: caller ? AbortSignal.any([caller, controller.signal]) : controller.signal,
    extend: start,
    pause: stop,
    passed: () => passed,
    end() {
      stop();
      clearTimeout(all);
    },
  };
}
