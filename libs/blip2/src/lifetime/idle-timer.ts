/** Time in milliseconds without calls after which a model is idle. */
const IDLE_MS = 1000;

/** Notices that a model is idle. */
export interface IdleTimer {
  /** Calls `action` each time that the model has become idle. */
  whenIdle(action: () => void): void;
  start(): void;
  stop(): void;
}

/** Creates a timer that is not running. */
export function createIdleTimer(): IdleTimer {
  const actions: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;
  return {
    whenIdle: (action) => void actions.push(action),
    start() {
      if (actions.length === 0) return;
      timer = setTimeout(() => {
        for (const action of actions) action();
      }, IDLE_MS);
      // An idle model does not keep the process alive.
      timer.unref();
    },
    stop: () => clearTimeout(timer),
  };
}
