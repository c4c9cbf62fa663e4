/** Notices that a model has made no progress. */
export interface Watchdog extends AsyncDisposable {
  /** Called after each step of the model. */
  progress(): void;
}

/** Calls `onHang` once `milliseconds` have passed without progress. */
export function createWatchdog(milliseconds: number, onHang: () => void): Watchdog {
  const timer = setTimeout(onHang, milliseconds);
  timer.unref();
  return {
    progress: () => void timer.refresh(),
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
    },
  };
}
