/** Exit codes of the `blip2` process. */
export const ExitCode = {
  done: 0,
  failed: 1,
  badUsage: 2,
  /** Some inputs failed; the results of the others were written. */
  someInputsFailed: 3,
  /** 128 + SIGINT, the convention of shells. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
