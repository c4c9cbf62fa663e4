/** Notices that a model has made no progress. */
export interface Watchdog {
  /** Called after each step of the model: the time begins again. */
  progress(): void;
  stop(): void;
}

/** Milliseconds without progress that are too many: until the first step, and between two steps. */
export interface WatchdogTimes {
  readonly first: number;
  readonly next: number;
}

/** Calls `onHang` if a model makes no progress in time. */
export function createWatchdog({ first, next }: WatchdogTimes, onHang: () => void): Watchdog {
  const start = (milliseconds: number): NodeJS.Timeout => setTimeout(onHang, milliseconds).unref();
  let timer = start(first);
  const stop = (): void => clearTimeout(timer);
  return {
    progress() {
      stop();
      timer = start(next);
    },
    stop,
  };
}
