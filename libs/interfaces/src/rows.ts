import { Blip2Error } from './errors.ts';
import type { AttentionMask, Tensor } from './tensor.ts';

/** A float32 tensor with the rows of a batch as its first axis. */
type Batch = Tensor<'float32', readonly [rows: number, ...rest: number[]]>;
/** One vector per position of each row. */
type Positions = Tensor<'float32', readonly [rows: number, positions: number, width: number]>;

const sizeOf = (dims: readonly number[]): number => dims.reduce((product, axis) => product * axis, 1);

/**
 * Concatenates batches along the first axis: `[a, …]`, `[b, …]` → `[a + b, …]`.
 * @throws Blip2Error `SHAPE_MISMATCH` if any other axis differs.
 */
export function stackRows<T extends Batch>(batches: readonly [T, ...T[]]): T {
  const [first] = batches;
  const rest = first.dims.slice(1);
  const other = batches.find(({ dims }) => dims.slice(1).join() !== rest.join());
  if (other) throw mismatch(first, other);
  const data = new Float32Array(batches.reduce((sum, batch) => sum + batch.data.length, 0));
  let offset = 0;
  for (const batch of batches) {
    data.set(batch.data, offset);
    offset += batch.data.length;
  }
  return { ...first, dims: [batches.reduce((sum, { dims }) => sum + dims[0], 0), ...rest], data };
}

/** Selects rows of a batch by index, repeats allowed: `[batch, …]` → `[rows.length, …]`. */
export function pickRows<T extends Batch>(batch: T, rows: readonly number[]): T {
  const rest = batch.dims.slice(1);
  const size = sizeOf(rest);
  const data = new Float32Array(rows.length * size);
  rows.forEach((from, row) => data.set(batch.data.subarray(from * size, (from + 1) * size), row * size));
  return { ...batch, dims: [rows.length, ...rest], data };
}

/** Repeats a single row `count` times: `[1, …]` → `[count, …]`. */
export function repeatRow<T extends Batch>(row: T, count: number): T {
  return pickRows(row, new Array<number>(count).fill(0));
}

/**
 * Concatenates two tensors along the positions: `[rows, a, width]`, `[rows, b, width]` → `[rows, a + b, width]`.
 * @throws Blip2Error `SHAPE_MISMATCH` if rows or widths differ.
 */
export function concatPositions<T extends Positions>(first: T, second: T): T {
  const [rows, before, width] = first.dims;
  const [otherRows, after, otherWidth] = second.dims;
  if (otherRows !== rows || otherWidth !== width) throw mismatch(first, second);
  const data = new Float32Array(rows * (before + after) * width);
  for (let row = 0; row < rows; row++) {
    const start = row * (before + after) * width;
    data.set(first.data.subarray(row * before * width, (row + 1) * before * width), start);
    data.set(second.data.subarray(row * after * width, (row + 1) * after * width), start + before * width);
  }
  return { ...first, dims: [rows, before + after, width], data };
}

/** Slices positions `begin` to `end` (exclusive): `[rows, positions, width]` → `[rows, end - begin, width]`. */
export function slicePositions<T extends Positions>(tensor: T, begin: number, end: number): T {
  const [rows, positions, width] = tensor.dims;
  const size = (end - begin) * width;
  const data = new Float32Array(rows * size);
  for (let row = 0; row < rows; row++) {
    const start = (row * positions + begin) * width;
    data.set(tensor.data.subarray(start, start + size), row * size);
  }
  return { ...tensor, dims: [rows, end - begin, width], data };
}

/** Creates an attention mask without padding, `[rows, length]`. */
export function onesMask(rows: number, length: number): AttentionMask {
  return Array.from({ length: rows }, () => new Array<number>(length).fill(1));
}

function mismatch(first: Batch, second: Batch): Blip2Error {
  return new Blip2Error('SHAPE_MISMATCH', 'Tensors must have equal axes to be joined', {
    expected: `[${first.dims.join(', ')}]`,
    got: `[${second.dims.join(', ')}]`,
  });
}
