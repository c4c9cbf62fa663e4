/** Exit codes of the `blip2` process. */
export const ExitCode = {
  done: 0,
  failed: 1,
  badUsage: 2,
  /** Some inputs failed; the results of the others were written. */
  someInputsFailed: 3,
  /** 128 + SIGINT, the convention of shells. */
  interrupted: 130,
  /** 128 + SIGTERM. */
  terminated: 143,
  /** 128 + SIGHUP. */
  hungUp: 129,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Signals that end a run as Ctrl-C does, with their exit codes: 128 + their number. */
export const ENDING_SIGNALS: Readonly<Record<EndingSignal, ExitCode>> = {
  SIGINT: ExitCode.interrupted,
  SIGTERM: ExitCode.terminated,
  SIGHUP: ExitCode.hungUp,
};
/** Ctrl-C; `docker stop`, `kill` and schedulers; a closed terminal. */
export type EndingSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';
