import { mustBe } from '@blip2/interfaces';

import type { Row } from './array-writer.ts';
import type { Cell, TableColumn } from './columns.ts';

/**
 * Checks a row of an array.
 * @throws Blip2Error `INVALID_ARGUMENT`
 */
export function expectRow(name: string, row: Row): void {
  const { dims, data }: { readonly dims?: unknown; readonly data?: unknown } = Object(row);
  if (typeof name !== 'string') throw mustBe('name', 'a string', name);
  if (!(data instanceof Float32Array)) throw mustBe('data', 'a Float32Array', data, { where: name });
  const size = Array.isArray(dims) ? dims.reduce((product: number, axis) => product * Number(axis), 1) : Number.NaN;
  if (size !== data.length) throw mustBe('dims', `axes of ${data.length} values`, dims, { where: name });
}

/**
 * Checks the cells of a row.
 * @throws Blip2Error `INVALID_ARGUMENT`
 */
export function expectCells(columns: readonly TableColumn[], row: readonly Cell[]): void {
  if (!Array.isArray(row) || row.length !== columns.length)
    throw mustBe('row', `one cell for each of ${columns.length} columns`, row);
  for (const [index, { name, type, optional = false }] of columns.entries()) {
    const cell: unknown = row[index];
    const isList = type.endsWith('[]');
    if (cell === null && optional && !isList) continue;
    const fits =
      type === 'string'
        ? typeof cell === 'string'
        : isList
          ? Array.isArray(cell) && cell.every((each) => fitsNumber(type, each))
          : fitsNumber(type, cell);
    if (!fits) throw mustBe(name, `a cell of type ${type}`, cell);
  }
}

const INT32_LIMIT = 2 ** 31;

function fitsNumber(type: TableColumn['type'], value: unknown): boolean {
  if (typeof value !== 'number') return false;
  return !type.startsWith('int32') || (Number.isInteger(value) && value >= -INT32_LIMIT && value < INT32_LIMIT);
}
