import { Blip2Error, type Decoding, type Extension, type Logits, type TokenIds } from '@blip2/interfaces';

import type { StepScheduler } from './step-scheduler.ts';

/** Where the rows of a decoding are: in a decoding of the model, which may hold other rows, too. */
export interface Place {
  readonly decoding: Decoding;
  /** Row `i` is row `rows[i]` of `decoding`. */
  readonly rows: readonly number[];
}

/** A decoding whose steps are shared with others. */
export class BatchedDecoding implements Decoding {
  readonly #scheduler: StepScheduler;
  /** Changed by the scheduler when rows move. */
  place: Place;
  isDisposed = false;
  #length: number;
  #logits: Logits | undefined;

  constructor(scheduler: StepScheduler, place: Place, length: number, logits: Logits | undefined) {
    this.#scheduler = scheduler;
    this.place = place;
    this.#length = length;
    this.#logits = logits;
  }

  /** A decoding over all rows of one that the model has started. */
  static of(decoding: Decoding, scheduler: StepScheduler): BatchedDecoding {
    const { length, logits } = decoding;
    return new BatchedDecoding(scheduler, { decoding, rows: range(logits.dims[0]) }, length, logits);
  }

  get length(): number {
    return this.isDisposed ? 0 : this.#length;
  }

  get logits(): Logits {
    this.expectAlive();
    if (this.#logits) return this.#logits;
    throw new Blip2Error('INVALID_STATE', 'A cropped decoding has no logits', {
      where: 'logits',
      fix: 'Extend it before reading logits',
    });
  }

  /** Of a decoding that shares its cache with no other one. */
  get byteLength(): number | undefined {
    const { decoding, rows } = this.place;
    return rows.length === this.#scheduler.rowsOf(this) ? decoding.byteLength : undefined;
  }

  async extend(more: Extension): Promise<Logits> {
    this.expectAlive();
    const step = this.#stepOf(more);
    if (step) {
      const logits = await this.#scheduler.step(this, step.ids, step.parents);
      this.#length++;
      return (this.#logits = logits);
    }
    return this.#scheduler.alone(async () => {
      const { decoding, rows } = await this.#own();
      const parents = more.parents?.map((parent) => rows[parent] ?? -1) ?? (isRange(rows) ? undefined : rows);
      const before = decoding.length;
      const logits = await decoding.extend({ ...more, ...(parents && { parents }) });
      this.place = { decoding, rows: range(logits.dims[0]) };
      this.#length += decoding.length - before;
      this.#logits = decoding.logits;
      return logits;
    });
  }

  async fork(rows?: readonly number[]): Promise<Decoding> {
    this.expectAlive();
    return this.#scheduler.between(async () => {
      const { decoding, rows: own } = this.place;
      const picked = rows?.map((row) => own[row] ?? -1) ?? own;
      const isWhole = isRange(picked) && picked.length === this.#scheduler.rowsOf(this);
      const fork = await decoding.fork(isWhole ? undefined : picked);
      const logits = rows && this.#logits ? pickLogits(this.#logits, rows) : this.#logits;
      return new BatchedDecoding(this.#scheduler, { decoding: fork, rows: range(picked.length) }, this.#length, logits);
    });
  }

  async crop(length: number): Promise<void> {
    this.expectAlive();
    if (!Number.isInteger(length) || length < 1 || length > this.#length) {
      throw new Blip2Error('INVALID_ARGUMENT', 'length must be within the decoding', {
        expected: `1 to ${this.#length}`,
        got: String(length),
        where: 'length',
      });
    }
    if (length === this.#length) return;
    await this.#scheduler.between(async () => {
      const { decoding } = await this.#own();
      // Rows end together, but may have more padding at their start than they had alone.
      await decoding.crop(decoding.length - (this.#length - length));
      this.#length = length;
      this.#logits = undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.#logits = undefined;
    await this.#scheduler.between(() => this.#scheduler.remove(this));
  }

  /** @throws Blip2Error `DISPOSED`. */
  expectAlive(): void {
    if (this.isDisposed)
      throw new Blip2Error('DISPOSED', 'This decoding has been disposed', { fix: 'Start another one' });
  }

  /** Its place in a decoding that no other one shares. */
  async #own(): Promise<Place> {
    this.expectAlive();
    await this.#scheduler.separate(this);
    return this.place;
  }

  /** One id per row, which can be decoded together with other rows; `undefined` for anything else, and for errors. */
  #stepOf(more: Extension): { readonly ids: readonly number[]; readonly parents: readonly number[] } | undefined {
    if (!('ids' in more) || more.attentionMask || (more.logits ?? 'last') !== 'last') return undefined;
    const parents = more.parents ?? range(this.place.rows.length);
    const { maxPositions, vocabularySize } = this.#scheduler;
    const ids = more.ids.flatMap((row: TokenIds) => (row.length === 1 ? [...row] : []));
    const isStep =
      this.place.decoding.append !== undefined &&
      ids.length > 0 &&
      ids.length === more.ids.length &&
      ids.length === parents.length &&
      ids.every((id) => Number.isInteger(id) && id >= 0 && id < vocabularySize) &&
      parents.every((parent) => this.place.rows[parent] !== undefined) &&
      this.#length < maxPositions;
    return isStep ? { ids, parents } : undefined;
  }
}

/** 0 to `length - 1`. */
export function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

function isRange(rows: readonly number[]): boolean {
  return rows.every((row, index) => row === index);
}

/** Rows of logits `[rows, 1, vocabulary]`. Those that follow one another are not copied. */
export function pickLogits(logits: Logits, rows: readonly number[]): Logits {
  const [, , vocabulary] = logits.dims;
  const [first = 0] = rows;
  const isSlice = rows.every((row, index) => row === first + index);
  const data = isSlice
    ? logits.data.subarray(first * vocabulary, (first + rows.length) * vocabulary)
    : new Float32Array(rows.length * vocabulary);
  if (!isSlice)
    for (const [index, row] of rows.entries())
      data.set(logits.data.subarray(row * vocabulary, (row + 1) * vocabulary), index * vocabulary);
  return { type: 'float32', dims: [rows.length, 1, vocabulary], data };
}
