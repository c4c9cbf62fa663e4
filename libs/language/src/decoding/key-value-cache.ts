import type { Tensor } from '@blip2/interfaces';

import { addRows, type CopyOptions, firstDifference, moveRows, shiftedSpans, type Span } from './cache-rows.ts';
import { expectRows } from './expect-rows.ts';

export interface CacheSize {
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
}

export type CacheTensor = Tensor<'float32', [rows: number, heads: number, capacity: number, headSize: number]>;
/** New rows of one layer: `[rows, sequence, heads · headSize]`. */
export type NewRows = Tensor<'float32', [rows: number, sequence: number, hidden: number]>;

/** Slots are added in steps, so that the arrays are not copied for each token. Unused slots are masked. */
const GROWTH = 32;

function roundedUp(length: number): number {
  return Math.ceil(length / GROWTH) * GROWTH;
}

/**
 * Keys and values of the positions so far, `[rows, heads, capacity, headSize]` per layer. They are stored here because
 * the runtime copies its outputs. Slots from `length` on are unused and must be masked. The arrays may have room for
 * more rows, so that rows can join and leave without a copy of the others.
 */
export class KeyValueCache {
  readonly #size: CacheSize;
  #rows: number;
  /** Rows that the arrays have room for. */
  #rowCapacity: number;
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
    this.#rowCapacity = rows;
    this.#keys = Array.from({ length: size.layers }, () => new Float32Array(0));
    this.#values = Array.from({ length: size.layers }, () => new Float32Array(0));
    this.#spans = Array.from({ length: rows }, () => []);
  }

  /** A cache of complete tensors, whose arrays it shares. */
  static of(size: CacheSize, keys: readonly CacheTensor[], values: readonly CacheTensor[]): KeyValueCache {
    const [rows = 0, , positions = 0] = keys[0]?.dims ?? [];
    const cache = new KeyValueCache(size, rows);
    cache.#length = positions;
    cache.#capacity = positions;
    cache.#keys = keys.map(({ data }) => data);
    cache.#values = values.map(({ data }) => data);
    cache.#shared = true;
    cache.#spans = Array.from({ length: rows }, () => [{ start: 0 }]);
    return cache;
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

  get byteLength(): number {
    return [...this.#keys, ...this.#values].reduce((sum, { byteLength }) => sum + byteLength, 0);
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
    if (length > this.#capacity) this.#copy(this.#identity(), { capacity: roundedUp(length) });
    else if (this.#shared) this.#copy(this.#identity());
    keys.forEach((rows, layer) => this.#store(rows, this.#keys[layer]));
    values.forEach((rows, layer) => this.#store(rows, this.#values[layer]));
    const start = this.#length;
    this.#spans = this.#spans.map((spans) => [...spans, { start }]);
    this.#length = length;
  }

  /**
   * Appends copies of rows of another cache. Both end at the same slot: the shorter ones are padded with zeros at the
   * start. `exact`: without unused slots.
   */
  appendRows(other: KeyValueCache, rows: readonly number[], exact = false): void {
    expectRows(rows, other.#rows, 'rows');
    const length = Math.max(this.#length, other.#length);
    const count = this.#rows + rows.length;
    if (this.#shared || count > this.#rowCapacity || length > this.#capacity || length > this.#length) {
      const capacity = length <= this.#capacity ? this.#capacity : exact ? length : roundedUp(length);
      // Doubled, so that the rows of a growing batch are copied a few times only.
      const rowCapacity = count > this.#rowCapacity ? Math.max(count, 2 * this.#rowCapacity) : this.#rowCapacity;
      this.#copy(this.#identity(), { capacity, rowCapacity, to: length - this.#length });
    }
    const into = { ...this.#size, capacity: this.#capacity, length, first: this.#rows };
    const from = { capacity: other.#capacity, length: other.#length, rows };
    this.#keys.forEach((target, layer) => addRows(target, into, other.#keys[layer], from));
    this.#values.forEach((target, layer) => addRows(target, into, other.#values[layer], from));
    const added = shiftedSpans(
      rows.map((row) => other.#spans[row] ?? []),
      length - other.#length,
    );
    this.#spans = [...this.#spans, ...added];
    this.#rows = count;
    this.#length = length;
  }

  /** Replaces row `i` by a copy of the former row `parents[i]`. */
  reorder(parents: readonly number[]): void {
    expectRows(parents, this.#rows, 'parents');
    if (parents.length === this.#rows && parents.every((parent, row) => parent === row)) return;
    if (parents.length > this.#rowCapacity || this.#shared) return this.#copy(parents);
    this.#moveRows(parents);
  }

  crop(length: number): void {
    this.#length = Math.min(this.#length, length);
    this.#spans = this.#spans.map((spans) => spans.filter(({ start }) => start < length));
  }

  /** Removes the first `count` slots and makes room for more positions, at least `added`. */
  compact(count: number, added: number): void {
    // Half a step more, so that rows that join and leave do not cause a copy for each of them.
    const capacity = roundedUp(this.#length - count + added + GROWTH / 2);
    this.#copy(this.#identity(), { from: count, rowCapacity: this.#rowCapacity, capacity });
  }

  /** A cache with the same contents; arrays are copied when either side writes. */
  fork(): KeyValueCache {
    const twin = this.#twin();
    twin.#rowCapacity = this.#rowCapacity;
    twin.#shared = true;
    this.#shared = true;
    return twin;
  }

  /** A cache with copies of some rows, without their first `from` slots. */
  pick(rows: readonly number[], from: number): KeyValueCache {
    expectRows(rows, this.#rows, 'rows');
    const picked = this.#twin();
    picked.#copy(rows, { from });
    return picked;
  }

  /** A cache with the same arrays. */
  #twin(): KeyValueCache {
    const twin = new KeyValueCache(this.#size, this.#rows);
    twin.#length = this.#length;
    twin.#capacity = this.#capacity;
    twin.#keys = this.#keys;
    twin.#values = this.#values;
    twin.#spans = this.#spans;
    return twin;
  }

  #tensor(data: Float32Array = new Float32Array(0)): CacheTensor {
    const { heads, headSize } = this.#size;
    const size = this.#rows * heads * this.#capacity * headSize;
    const used = data.length === size ? data : data.subarray(0, size);
    return { type: 'float32', dims: [this.#rows, heads, this.#capacity, headSize], data: used };
  }

  #identity(): number[] {
    return Array.from({ length: this.#rows }, (_, row) => row);
  }

  /** Copies row `parents[i]` to row `i` of new arrays: the slots from `from` on to those from `to` on. */
  #copy(
    parents: readonly number[],
    { capacity = this.#capacity, rowCapacity = parents.length, from = 0, to = 0 }: CopyOptions = {},
  ): void {
    const { heads, headSize } = this.#size;
    const used = (this.#length - from) * headSize;
    const copy = (old: Float32Array): Float32Array => {
      const data = new Float32Array(rowCapacity * heads * capacity * headSize);
      for (const [row, parent] of parents.entries()) {
        for (let head = 0; head < heads; head++) {
          const source = ((parent * heads + head) * this.#capacity + from) * headSize;
          data.set(old.subarray(source, source + used), ((row * heads + head) * capacity + to) * headSize);
        }
      }
      return data;
    };
    this.#keys = this.#keys.map(copy);
    this.#values = this.#values.map(copy);
    const spans = shiftedSpans(this.#spans, to - from);
    this.#spans = parents.map((parent) => spans[parent] ?? []);
    this.#rows = parents.length;
    this.#rowCapacity = rowCapacity;
    this.#capacity = capacity;
    this.#length += to - from;
    this.#shared = false;
  }

  /**
   * Copies rows in place, from the first position on at which a row differs from its parent: beams share their prompt
   * and often more.
   */
  #moveRows(parents: readonly number[]): void {
    const moves = parents.flatMap((parent, row) => {
      const start = firstDifference(this.#spans[parent] ?? [], this.#spans[row] ?? []);
      return start === undefined ? [] : [{ parent, row, start }];
    });
    const shape = { ...this.#size, capacity: this.#capacity, length: this.#length };
    for (const data of [...this.#keys, ...this.#values]) moveRows(data, moves, shape);
    this.#spans = parents.map((parent) => this.#spans[parent] ?? []);
    this.#rows = parents.length;
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
