/** A job that is killed at random moments and started again until it finishes. */
export interface KillScenario {
  readonly name: string;
  /** What holds after every round, in one sentence. */
  readonly promise: string;
  open(): Promise<OpenKillScenario>;
}

export interface OpenKillScenario extends AsyncDisposable {
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Makes ready for a new round: nothing has been done yet. */
  reset(): Promise<void>;
  /** What a finished round left wrong, or `undefined`. */
  verify(): Promise<string | undefined>;
}
