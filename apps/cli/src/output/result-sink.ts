/** How a run ended. */
export type Outcome = 'finished' | 'interrupted' | 'failed';

/** Where result lines go. */
export interface ResultSink {
  /** Keys of the lines that an earlier run wrote already. */
  readonly done: ReadonlySet<string>;
  /** Whether the same command goes on where this one stopped. */
  readonly resumable: boolean;
  /**
   * `lines` are whole lines, each with its end. Throws `WRITE_FAILED`; a closed pipe is passed on as Node's `EPIPE`.
   */
  write(lines: string): Promise<void>;
  /** What was written stays after `finished` and `interrupted`. */
  close(outcome: Outcome): Promise<void>;
}
