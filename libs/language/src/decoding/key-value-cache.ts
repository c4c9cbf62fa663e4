import { Blip2Error, type Tensor } from '@blip2/interfaces';

export interface CacheSize {
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
}

export type CacheTensor = Tensor<'float32', [rows: number, heads: number, capacity: number, headSize: number]>;
/** New rows of one layer: `[rows, sequence, heads · headSize]`. */
export type NewRows = Tensor<'float32', [rows: number, sequence: number, hidden: number]>;

/** Positions of one row that were appended together. Copies of a row have the same object. */
interface Span {
  readonly start: number;
}

/** Slots are added in steps, so that the arrays are not copied for each token. Unused slots are masked. */
const GROWTH = 32;

/**
 * Keys and values of the positions so far, `[rows, heads, capacity, headSize]` per layer. They are stored here because
 * the runtime copies its outputs. Slots from `length` on are unused and must be masked.
 */
export class KeyValueCache {
  readonly #size: CacheSize;
  #rows: number;
  #length = 0;
  #capacity = 0;
  /** One array per layer. */
  #keys: Float32Array[];
  #values: Float32Array[];
  /** The arrays are shared with a fork and must not be written. */
  #shared = false;
  /** What each row was filled with. Rows have equal contents where they have equal spans. */
  #spans: readonly (readonly Span[])[];

  constructor(size: CacheSize, rows: number) {
    this.#size = size;
    this.#rows = rows;
    this.#keys = Array.from({ length: size.layers }, () => new Float32Array(0));
    this.#values = Array.from({ length: size.layers }, () => new Float32Array(0));
    this.#spans = Array.from({ length: rows }, () => []);
  }

  get rows(): number {
    return this.#rows;
  }

  get length(): number {
    return this.#length;
  }

  /** Slots of each array, including unused ones. */
  get capacity(): number {
    return this.#capacity;
  }

  keys(layer: number): CacheTensor {
    return this.#tensor(this.#keys[layer]);
  }

  values(layer: number): CacheTensor {
    return this.#tensor(this.#values[layer]);
  }

  /** Appends the rows of new positions. */
  append(keys: readonly NewRows[], values: readonly NewRows[]): void {
    const added = keys[0]?.dims[1] ?? 0;
    const length = this.#length + added;
    if (length > this.#capacity) this.#copy(this.#identity(), Math.ceil(length / GROWTH) * GROWTH);
    else if (this.#shared) this.#copy(this.#identity(), this.#capacity);
    keys.forEach((rows, layer) => this.#store(rows, this.#keys[layer]));
    values.forEach((rows, layer) => this.#store(rows, this.#values[layer]));
    const start = this.#length;
    this.#spans = this.#spans.map((spans) => [...spans, { start }]);
    this.#length = length;
  }

  /** Replaces row `i` by a copy of the former row `parents[i]`. */
  reorder(parents: readonly number[]): void {
    const unknown = parents.find((parent) => !Number.isInteger(parent) || parent < 0 || parent >= this.#rows);
    if (unknown !== undefined)
      throw new Blip2Error('INVALID_ARGUMENT', 'parents must be rows of the decoding', {
        expected: `0 to ${this.#rows - 1}`,
        got: String(unknown),
        where: 'parents',
      });
    if (parents.length === this.#rows && parents.every((parent, row) => parent === row)) return;
    if (parents.length !== this.#rows || this.#shared) return this.#copy(parents, this.#capacity);
    this.#moveRows(parents);
  }

  crop(length: number): void {
    this.#length = Math.min(this.#length, length);
    this.#spans = this.#spans.map((spans) => spans.filter(({ start }) => start < length));
  }

  /** A cache with the same contents; arrays are copied when either side writes. */
  fork(): KeyValueCache {
    const twin = new KeyValueCache(this.#size, this.#rows);
    twin.#length = this.#length;
    twin.#capacity = this.#capacity;
    twin.#keys = this.#keys;
    twin.#values = this.#values;
    twin.#spans = this.#spans;
    twin.#shared = true;
    this.#shared = true;
    return twin;
  }

  #tensor(data: Float32Array | undefined): CacheTensor {
    const { heads, headSize } = this.#size;
    return { type: 'float32', dims: [this.#rows, heads, this.#capacity, headSize], data: data ?? new Float32Array(0) };
  }

  #identity(): number[] {
    return Array.from({ length: this.#rows }, (_, row) => row);
  }

  /** Copies row `parents[i]` to row `i` of new arrays. */
  #copy(parents: readonly number[], capacity: number): void {
    const { heads, headSize } = this.#size;
    const used = this.#length * headSize;
    const copy = (old: Float32Array): Float32Array => {
      const data = new Float32Array(parents.length * heads * capacity * headSize);
      for (const [row, parent] of parents.entries()) {
        for (let head = 0; head < heads; head++) {
          const from = (parent * heads + head) * this.#capacity * headSize;
          data.set(old.subarray(from, from + used), (row * heads + head) * capacity * headSize);
        }
      }
      return data;
    };
    this.#keys = this.#keys.map(copy);
    this.#values = this.#values.map(copy);
    this.#spans = parents.map((parent) => this.#spans[parent] ?? []);
    this.#rows = parents.length;
    this.#capacity = capacity;
    this.#shared = false;
  }

  /**
   * Copies rows in place, from the first position on at which a row differs from its parent: beams share their prompt
   * and often more. Sources are copied before any row is written.
   */
  #moveRows(parents: readonly number[]): void {
    const { heads, headSize } = this.#size;
    const moves = parents.flatMap((parent, row) => {
      const start = firstDifference(this.#spans[parent] ?? [], this.#spans[row] ?? []);
      return start === undefined ? [] : [{ parent, row, start, size: (this.#length - start) * headSize }];
    });
    const sources = moves.map(({ size }) => new Float32Array(heads * size));
    const slot = (row: number, head: number, start: number): number =>
      ((row * heads + head) * this.#capacity + start) * headSize;
    for (const data of [...this.#keys, ...this.#values]) {
      moves.forEach(({ parent, start, size }, index) => {
        for (let head = 0; head < heads; head++) {
          const from = slot(parent, head, start);
          sources[index]?.set(data.subarray(from, from + size), head * size);
        }
      });
      moves.forEach(({ row, start, size }, index) => {
        for (let head = 0; head < heads; head++)
          data.set(sources[index]?.subarray(head * size, (head + 1) * size) ?? [], slot(row, head, start));
      });
    }
    this.#spans = parents.map((parent) => this.#spans[parent] ?? []);
  }

  /** Writes `[rows, sequence, heads · headSize]` to the slots from `length` on. */
  #store({ dims: [rows, sequence], data }: NewRows, target: Float32Array | undefined): void {
    const { heads, headSize } = this.#size;
    for (let row = 0; row < rows; row++) {
      for (let position = 0; position < sequence; position++) {
        for (let head = 0; head < heads; head++) {
          const from = ((row * sequence + position) * heads + head) * headSize;
          target?.set(
            data.subarray(from, from + headSize),
            ((row * heads + head) * this.#capacity + this.#length + position) * headSize,
          );
        }
      }
    }
  }
}

/** The first position at which rows differ; undefined if they are equal. Both have equally many positions. */
function firstDifference(a: readonly Span[], b: readonly Span[]): number | undefined {
  return a.find((span, at) => span !== b[at])?.start;
}
