import type { Decoding, Logits } from '@blip2/interfaces';

/** Where the rows of a decoding are: in a decoding of the model, which may hold other rows, too. */
export interface Place {
  readonly decoding: Decoding;
  /** Row `i` is row `rows[i]` of `decoding`. */
  readonly rows: readonly number[];
}

/** A decoding as the batch knows it. */
export interface BatchView {
  /** Changed by the batch when rows move. */
  place: Place;
  /** @throws Blip2Error `DISPOSED`. */
  expectAlive(): void;
}

/** One token per row of a decoding, which waits to be decoded. */
export interface PendingStep {
  readonly view: BatchView;
  readonly ids: readonly number[];
  /** Row `i` continues row `parents[i]` of the decoding. */
  readonly parents: readonly number[];
  resolve(logits: Logits): void;
  reject(error: unknown): void;
}
