import type { Tensor } from '@blip2/interfaces';

/** A row: `[…shape]`, row-major. */
export type Row = Pick<Tensor<'float32'>, 'dims' | 'data'>;

/** Writes rows of floats, in order. One of `finish` and `discard` must be called in the end. */
export interface ArrayWriter {
  /**
   * `name` is that of the row, for formats that store it, and for errors.
   * @throws Blip2Error `INVALID_ARGUMENT` if the format cannot hold the row; `WRITE_FAILED`.
   */
  append(name: string, row: Row): Promise<void>;
  /** Completes the output. Without rows, none is created. */
  finish(): Promise<void>;
  /** Deletes the unfinished output; an existing file stays as it was. */
  discard(): Promise<void>;
}
