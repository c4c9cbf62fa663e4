import { Blip2Error, type Rows, type Tensor, type TokenIds } from '@blip2/interfaces';

/** Ids or masks as rows of numbers, whichever form they came in. */
export function asRows(rows: Rows): readonly TokenIds[] {
  if (!('type' in rows)) return rows;
  const [batch, sequence] = rows.dims;
  return Array.from({ length: batch }, (_, row) =>
    Array.from(rows.data.subarray(row * sequence, (row + 1) * sequence), Number),
  );
}

/** Rows of equal length as an int64 tensor `[batch, sequence]`. `where` names them in errors. */
export function rowsTensor(
  rows: readonly TokenIds[],
  where: string,
): Tensor<'int64', [batch: number, sequence: number]> {
  const sequence = rows[0]?.length ?? 0;
  const other = rows.find((row) => row.length !== sequence);
  if (other) {
    throw new Blip2Error('SHAPE_MISMATCH', 'Rows of one batch differ in length', {
      where,
      expected: String(sequence),
      got: String(other.length),
      fix: 'Pad them',
    });
  }
  const data = new BigInt64Array(rows.length * sequence);
  let index = 0;
  for (const row of rows) for (const entry of row) data[index++] = wholeNumber(entry, where);
  return { type: 'int64', dims: [rows.length, sequence], data };
}

function wholeNumber(entry: number, where: string): bigint {
  if (Number.isSafeInteger(entry)) return BigInt(entry);
  throw new Blip2Error('INVALID_ARGUMENT', 'Ids and masks are whole numbers', {
    where,
    argument: where,
    got: String(entry),
  });
}
