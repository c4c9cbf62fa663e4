import { Blip2Error, isTensorLike, mustBe, type Rows, type Tensor, type TokenIds } from '@blip2/interfaces';

/**
 * Converts token ids or masks, given as rows or as a tensor, to rows of numbers. `argument` is their name in errors.
 * @throws Blip2Error `INVALID_ARGUMENT` for anything else; `SHAPE_MISMATCH` for a tensor of another shape.
 */
export function asRows(rows: Rows, argument = 'inputIds'): readonly TokenIds[] {
  if (!isTensorLike(rows)) {
    if (Array.isArray(rows) && rows.every((row) => Array.isArray(row) || ArrayBuffer.isView(row)))
      return rows as readonly TokenIds[];
    throw mustBe(argument, 'rows of integers, or a tensor [batch, sequence]', rows);
  }
  const tensor = rows as Tensor<'int64'>;
  const [batch = NaN, sequence = NaN] = tensor.dims;
  if (tensor.dims.length !== 2 || tensor.data.length !== batch * sequence) {
    throw new Blip2Error('SHAPE_MISMATCH', `${argument} has the wrong shape`, {
      argument,
      expected: '[batch, sequence] with one value per position',
      got: `${tensor.data.length} values for [${tensor.dims.join(', ')}]`,
    });
  }
  return Array.from({ length: batch }, (_, row) =>
    Array.from(tensor.data.subarray(row * sequence, (row + 1) * sequence), Number),
  );
}

/**
 * Converts rows of equal length to an int64 tensor `[batch, sequence]`. `where` is their name in errors.
 *
 * @throws Blip2Error `SHAPE_MISMATCH` for rows of different lengths.
 * @throws Blip2Error `INVALID_ARGUMENT` for entries that are not integers.
 */
export function rowsTensor(
  rows: readonly TokenIds[],
  where: string,
): Tensor<'int64', [batch: number, sequence: number]> {
  const sequence = rows[0]?.length ?? 0;
  const other = rows.find((row) => row.length !== sequence);
  if (other) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The rows of a batch must have the same length', {
      where,
      expected: String(sequence),
      got: String(other.length),
      fix: 'Pad them',
    });
  }
  const data = new BigInt64Array(rows.length * sequence);
  let index = 0;
  for (const row of rows) for (const entry of row) data[index++] = integer(entry, where);
  return { type: 'int64', dims: [rows.length, sequence], data };
}

function integer(entry: number, where: string): bigint {
  if (Number.isSafeInteger(entry)) return BigInt(entry);
  throw new Blip2Error('INVALID_ARGUMENT', 'Token ids and masks must be integers', {
    where,
    argument: where,
    got: String(entry),
  });
}
