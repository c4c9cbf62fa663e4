import type { Cell, CellType, ResultObject, Table, TableColumn } from './table.ts';

const string = (name: string): TableColumn => ({ name, type: 'string' });
const double = (name: string): TableColumn => ({ name, type: 'double' });

/** The results of each command as a table: columns are the keys of the JSON lines, without times. */
export const captionTable: Table = oneRowEach([
  string('image'),
  string('text'),
  { name: 'tokenIds', type: 'int32[]' },
  double('score'),
]);
export const askTable: Table = oneRowEach([
  string('image'),
  string('question'),
  string('text'),
  { name: 'tokenIds', type: 'int32[]' },
  double('score'),
]);
export const matchTable: Table = oneRowEach([string('image'), string('text'), double('itm'), double('itc')]);

/** A row per candidate, best first: `rank` counts from 1. */
export function rankTable(candidates: number): Table {
  const scores = [string('text'), double('logProb'), double('logProbPerToken'), double('probability')];
  const columns = [
    string('image'),
    string('question'),
    { name: 'rank', type: 'int32' } as const,
    ...scores.map(({ name, type }) => ({ name: name === 'text' ? 'candidate' : name, type })),
  ];
  return {
    columns,
    rowsPerResult: candidates,
    rowsOf: ({ image, question, candidates: ranked }) =>
      (Array.isArray(ranked) ? ranked : []).map((candidate: ResultObject, index) => [
        cellOf('string', image),
        cellOf('string', question),
        index + 1,
        ...scores.map(({ name, type }) => cellOf(type, candidate[name])),
      ]),
  };
}

/** `embedding` is flat, row-major: `shape` says what its axes are. */
export function embedTable(names: readonly ('image' | 'text')[]): Table {
  return oneRowEach([
    ...names.map(string),
    string('part'),
    { name: 'shape', type: 'int32[]' },
    { name: 'embedding', type: 'float[]' },
  ]);
}

function oneRowEach(columns: readonly TableColumn[]): Table {
  return {
    columns,
    rowsPerResult: 1,
    rowsOf: (result) => [columns.map(({ name, type }) => cellOf(type, result[name]))],
  };
}

function cellOf(type: CellType, value: unknown): Cell {
  if (type === 'string') return typeof value === 'string' ? value : '';
  if (type === 'int32[]' || type === 'float[]') return flatNumbers(value);
  return numberOf(value);
}

/** The numbers of nested lists, in order. */
export function flatNumbers(value: unknown): readonly number[] {
  if (!Array.isArray(value)) return [];
  return value.some(Array.isArray) ? value.flatMap(flatNumbers) : value.map(numberOf);
}

/** JSON writes `null` for a number that is not finite. */
function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : NaN;
}
