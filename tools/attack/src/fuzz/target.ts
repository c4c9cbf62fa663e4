import type { Arbitrary } from 'fast-check';

/** What a case led to: accepted, or refused with the code of a `Blip2Error`. */
export type Outcome = 'accepted' | (string & {});

/** An entry point that reads untrusted input. */
export interface Target<T> {
  /** Name in reports, and for `--only`. */
  readonly name: string;
  /** What holds for every case, in one sentence. */
  readonly promise: string;
  /** Creates the cases. Called once per run. */
  open(): Promise<OpenTarget<T>> | OpenTarget<T>;
}

export interface OpenTarget<T> extends Partial<AsyncDisposable> {
  readonly cases: Arbitrary<T>;
  /**
   * Reads one case. Returns if it was accepted.
   * @throws Blip2Error if it was refused. Anything else that is thrown breaks the promise.
   */
  run(input: T): Promise<void> | void;
}

/** Erases the type of the cases, for lists of targets. */
export function defineTarget<T>(target: Target<T>): Target<unknown> {
  return target as unknown as Target<unknown>;
}
