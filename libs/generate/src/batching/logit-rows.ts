import type { Logits } from '@blip2/interfaces';

/** 0 to `length - 1`. */
export function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
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
