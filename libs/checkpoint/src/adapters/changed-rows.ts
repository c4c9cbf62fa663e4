import { Blip2Error, type StoredTensor } from '@blip2/interfaces';

import { readFloats } from '../safetensors/read-floats.ts';
import type { LowRankChange, WeightChange } from './weight-change.ts';

/** A change and what is known about the whole tensor. Plain data, so that it can be sent to a worker. */
export interface PreparedChange {
  readonly change: WeightChange;
  /** Norms of the columns of the changed tensor, of a DoRA whose magnitudes belong to columns. */
  readonly norms?: Float64Array;
}

/** Consecutive rows of a tensor `[rows, inner]`. */
export interface ChangedRows {
  /** Number of rows of the whole tensor. */
  readonly rows: number;
  readonly inner: number;
  /** First row and end of the range, exclusive. */
  readonly begin: number;
  readonly end: number;
  /** Whether the rows are those of the transposed tensor. */
  readonly transposed: boolean;
}

/**
 * Adds changes to rows of a tensor in place. `weights` are the rows of the base, `[end - begin, inner]`. Sums are
 * computed in float64 and rounded to float32 once.
 * @throws Blip2Error `INVALID_CHECKPOINT` for values of an adapter that are not finite; the codes of `readFloats`.
 */
export function addChanges(weights: Float32Array, prepared: readonly PreparedChange[], rows: ChangedRows): void {
  const terms = prepared.map((each) => openTerm(each, rows));
  const { inner, begin, end } = rows;
  const sum = new Float64Array(inner);
  for (let row = 0; row < end - begin; row++) {
    const base = weights.subarray(row * inner, (row + 1) * inner);
    sum.set(base);
    for (const addTo of terms) addTo(sum, base, row);
    base.set(sum);
  }
}

/** Adds one change to a row: `sum += change(base)`. */
type Term = (sum: Float64Array, base: Float32Array, row: number) => void;

function openTerm({ change, norms }: PreparedChange, rows: ChangedRows): Term {
  const { inner, begin, end } = rows;
  if (change.kind === 'added') {
    const values = finiteFloats(change.tensor, begin * inner, (end - begin) * inner);
    return (sum, _, row) => {
      for (let i = 0; i < inner; i++) sum[i] = (sum[i] ?? 0) + change.scaling * (values[row * inner + i] ?? 0);
    };
  }
  const product = openProduct(change, rows);
  const delta = new Float64Array(inner);
  const { scaling, magnitude } = change;
  if (!magnitude)
    return (sum, _, row) => {
      product(row, delta);
      for (let i = 0; i < inner; i++) sum[i] = (sum[i] ?? 0) + scaling * (delta[i] ?? 0);
    };
  const perColumn = change.transposed !== rows.transposed;
  const magnitudes = perColumn ? finiteFloats(magnitude, 0, inner) : finiteFloats(magnitude, begin, end - begin);
  return (sum, base, row) => {
    product(row, delta);
    const rowNorm = perColumn ? 0 : Math.sqrt(squares(base, delta, scaling));
    for (let i = 0; i < inner; i++) {
      const factor = perColumn ? (magnitudes[i] ?? 0) / (norms?.[i] ?? 0) : (magnitudes[row] ?? 0) / rowNorm;
      if (!Number.isFinite(factor)) throw notFinite(magnitude, 'its magnitude belongs to weights that are zero');
      sum[i] = (sum[i] ?? 0) + (factor - 1) * (base[i] ?? 0) + factor * scaling * (delta[i] ?? 0);
    }
  };
}

function squares(base: Float32Array, delta: Float64Array, scaling: number): number {
  let sum = 0;
  for (let i = 0; i < base.length; i++) sum += ((base[i] ?? 0) + scaling * (delta[i] ?? 0)) ** 2;
  return sum;
}

/** Computes a row of `B · A`, or of its transpose, into `target`. */
function openProduct(change: LowRankChange, rows: ChangedRows): (row: number, target: Float64Array) => void {
  const { rank } = change;
  const { inner } = rows;
  const isFlipped = change.transposed !== rows.transposed;
  const left = isFlipped ? columnsOf(change.a, rank, rows) : rowsOf(change.b, rank, rows);
  const right = isFlipped
    ? transposed(finiteFloats(change.b, 0, inner * rank), rank)
    : finiteFloats(change.a, 0, rank * inner);
  return (row, target) => {
    target.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = left[row * rank + k] ?? 0;
      if (factor === 0) continue;
      for (let i = 0; i < inner; i++) target[i] = (target[i] ?? 0) + factor * (right[k * inner + i] ?? 0);
    }
  };
}

/** Rows of `B [out, rank]`. */
function rowsOf(b: StoredTensor, rank: number, { begin, end }: ChangedRows): Float32Array {
  return finiteFloats(b, begin * rank, (end - begin) * rank);
}

/** Columns of `A [rank, in]` as rows `[end - begin, rank]`. */
function columnsOf(a: StoredTensor, rank: number, { rows, begin, end }: ChangedRows): Float32Array {
  const count = end - begin;
  const columns = new Float32Array(count * rank);
  for (let k = 0; k < rank; k++) {
    const line = finiteFloats(a, k * rows + begin, count);
    for (let i = 0; i < count; i++) columns[i * rank + k] = line[i] ?? 0;
  }
  return columns;
}

/** `[n, rank]` as `[rank, n]`. */
function transposed(values: Float32Array, rank: number): Float32Array {
  const count = values.length / rank;
  const result = new Float32Array(values.length);
  for (let i = 0; i < count; i++) for (let k = 0; k < rank; k++) result[k * count + i] = values[i * rank + k] ?? 0;
  return result;
}

function finiteFloats(tensor: StoredTensor, first: number, count: number): Float32Array {
  const values = readFloats(tensor, { first, count });
  if (values.some((value) => !Number.isFinite(value))) throw notFinite(tensor, 'a value is not a finite number');
  return values;
}

function notFinite({ name, file }: StoredTensor, rule: string): Blip2Error {
  return new Blip2Error('INVALID_CHECKPOINT', `The adapter cannot be merged: ${rule}`, {
    where: `${name} in ${file}`,
    subject: name,
    fix: 'Save the adapter again, or train it again if its training diverged',
  });
}

/** Rows of the base of a tensor. */
export type ReadRows = (begin: number, end: number) => Float32Array;

/**
 * Adds what a change needs to know about the whole tensor: for a DoRA whose magnitudes belong to columns, the norms of
 * the columns of `W + scaling · B · A`. `readRows` reads `[end - begin, inner]` of the base; `step` rows at a time.
 */
export function prepareChange(
  change: WeightChange,
  rows: Pick<ChangedRows, 'rows' | 'inner' | 'transposed'>,
  readRows: ReadRows,
  step: number,
): PreparedChange {
  if (change.kind === 'added' || !change.magnitude || change.transposed === rows.transposed) return { change };
  const { magnitude: _, ...plain } = change;
  const norms = new Float64Array(rows.inner);
  for (let begin = 0; begin < rows.rows; begin += step) {
    const end = Math.min(begin + step, rows.rows);
    const weights = readRows(begin, end);
    addChanges(weights, [{ change: plain }], { ...rows, begin, end });
    weights.forEach((value, at) => (norms[at % rows.inner] = (norms[at % rows.inner] ?? 0) + value ** 2));
  }
  return { change, norms: norms.map(Math.sqrt) };
}
