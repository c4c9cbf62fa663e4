import { Blip2Error } from '@blip2/interfaces';

import { isTensorFile } from '../output/output-path.ts';
import type { OpenOutput } from '../output/output-request.ts';
import type { Table } from './table.ts';

/**
 * Opens `.csv` and `.parquet` files with the results as rows; `undefined` for other outputs.
 * @throws Blip2Error `INVALID_ARGUMENT` for `.npy` and `.safetensors`, which only hold embeddings.
 */
export function tableOutput(table: Table): OpenOutput {
  return ({ output, resume }) => {
    if (output !== undefined && /\.csv$/i.test(output))
      return import('./csv-file.ts').then(({ openCsvFile }) => openCsvFile(output, table, resume));
    if (isTensorFile(output))
      throw new Blip2Error('INVALID_ARGUMENT', '.npy and .safetensors files can only hold embeddings', {
        where: '--output',
        got: output,
        fix: 'Write .csv, .parquet or .jsonl',
      });
    if (output !== undefined && /\.parquet$/i.test(output))
      return import('./parquet-file.ts').then(({ openParquetFile }) => openParquetFile(output, table, resume.signal));
    return undefined;
  };
}
