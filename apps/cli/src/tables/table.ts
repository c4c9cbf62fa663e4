import { Blip2Error } from '@blip2/interfaces';

import { isTensorFile } from '../commands/embed/tensor-file.ts';
import type { OpenOutput } from '../output/output-request.ts';

/** What the cells of a column hold; lists are left out where a cell is one value. */
export type CellType = 'string' | 'double' | 'int32' | 'int32[]' | 'float[]';
export type Cell = string | number | readonly number[];
export interface TableColumn {
  readonly name: string;
  readonly type: CellType;
}
/** A result as the run writes it: an object with the keys of its JSON line. */
export type ResultObject = Readonly<Record<string, unknown>>;

/** Results as rows of columns. */
export interface Table {
  readonly columns: readonly TableColumn[];
  /** How many rows a result has. */
  readonly rowsPerResult: number;
  /** The rows of a result, each with a cell per column. */
  rowsOf(result: ResultObject): readonly (readonly Cell[])[];
}

/**
 * Opens `.csv` and `.parquet` with the results as rows; nothing for another output. Throws `INVALID_ARGUMENT` for files
 * of numbers.
 */
export function tableOutput(table: Table): OpenOutput {
  return ({ output, resume }) => {
    if (output !== undefined && /\.csv$/i.test(output))
      return import('./csv-file.ts').then(({ openCsvFile }) => openCsvFile(output, table, resume));
    if (isTensorFile(output))
      throw new Blip2Error('INVALID_ARGUMENT', 'Only embeddings go into such a file', {
        where: '--output',
        got: output,
        fix: 'Write .csv, .parquet or .jsonl',
      });
    if (output !== undefined && /\.parquet$/i.test(output))
      return import('./parquet-file.ts').then(({ openParquetFile }) => openParquetFile(output, table));
    return undefined;
  };
}
