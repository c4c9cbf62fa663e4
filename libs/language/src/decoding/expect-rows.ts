import { Blip2Error } from '@blip2/interfaces';

/** @throws Blip2Error `INVALID_ARGUMENT` for rows that a decoding of `count` rows does not have. */
export function expectRows(rows: readonly number[], count: number, argument: 'parents' | 'rows'): void {
  const unknown = rows.find((row) => !Number.isInteger(row) || row < 0 || row >= count);
  if (unknown === undefined) return;
  throw new Blip2Error('INVALID_ARGUMENT', `${argument} must be rows of the decoding`, {
    argument,
    expected: `0 to ${count - 1}`,
    got: String(unknown),
    where: argument,
  });
}
