import type { ResultObject, Table } from '../../tables/table.ts';
import { cellOf, doubleColumn, stringColumn } from '../../tables/table-cells.ts';

/** Results of `rank` as a table: one row per candidate, best first, with `rank` counted from 1. */
export function rankTable(candidates: number): Table {
  const scores = [
    stringColumn('text'),
    doubleColumn('logProb'),
    doubleColumn('logProbPerToken'),
    doubleColumn('probability'),
  ];
  const columns = [
    stringColumn('image'),
    stringColumn('question'),
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
