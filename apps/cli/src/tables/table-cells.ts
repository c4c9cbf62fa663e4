import type { Cell, CellType, TableColumn } from '@blip2/tables';

import type { Table } from './table.ts';

export const stringColumn = (name: string): TableColumn => ({ name, type: 'string' });
export const doubleColumn = (name: string): TableColumn => ({ name, type: 'double' });

/** A table with one row per result, whose columns are keys of the JSON lines. */
export function oneRowTable(columns: readonly TableColumn[]): Table {
  return {
    columns,
    rowsPerResult: 1,
    rowsOf: (result) => [columns.map(({ name, type }) => cellOf(type, result[name]))],
  };
}

/** Converts a JSON value to a cell. Lists are flattened. */
export function cellOf(type: CellType, value: unknown): Cell {
  if (type === 'string') return typeof value === 'string' ? value : '';
  if (type === 'int32[]' || type === 'float[]') return flatNumbers(value);
  return numberOf(value);
}

/** The numbers of nested lists, in order. */
export function flatNumbers(value: unknown): readonly number[] {
  if (!Array.isArray(value)) return [];
  return value.some(Array.isArray) ? value.flatMap(flatNumbers) : value.map(numberOf);
}

/** JSON has `null` in place of numbers that are not finite. */
function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : NaN;
}
