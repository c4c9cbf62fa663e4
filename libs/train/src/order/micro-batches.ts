/**
 * Splits a batch into pieces of at most `size` rows. Rows of similar length share a piece, because all rows of a piece
 * are as long as its longest one. The sum of the gradients does not depend on the split.
 */
export function microBatches<T>(rows: readonly T[], size: number, lengthOf: (row: T) => number): T[][] {
  const sorted = rows
    .map((row, index) => ({ row, index, length: lengthOf(row) }))
    .sort((a, b) => a.length - b.length || a.index - b.index);
  const pieces = Math.ceil(sorted.length / size);
  return Array.from({ length: pieces }, (_, piece) =>
    sorted.slice(piece * size, (piece + 1) * size).map(({ row }) => row),
  );
}
