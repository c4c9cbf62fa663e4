import type { Cell, TableColumn } from '@blip2/tables';

/** A result: an object with the keys of its JSON line. */
export type ResultObject = Readonly<Record<string, unknown>>;

/** Converts results to rows of columns. */
export interface Table {
  readonly columns: readonly TableColumn[];
  /** Number of rows per result. */
  readonly rowsPerResult: number;
  /** The rows of a result, with one cell per column. */
  rowsOf(result: ResultObject): readonly (readonly Cell[])[];
}

/** Parses whole JSON lines, and leaves out inputs that failed. */
export function resultsOf(lines: string): readonly ResultObject[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line): ResultObject => JSON.parse(line))
    .filter(({ error }) => error === undefined);
}
