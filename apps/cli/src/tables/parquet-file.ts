import { parquetWriter } from '@blip2/tables';

import { expectWritable } from '../output/output-path.ts';
import type { ResultSink } from '../output/result-sink.ts';
import { rowTarget } from '../output/row-target.ts';
import { resultsOf, type Table } from './table.ts';

/**
 * Opens a Parquet file with the results as rows. Row groups are written during the run, under a temporary name until
 * the file is complete. Inputs that failed are left out; without rows, no file is created.
 */
export async function openParquetFile(
  file: string,
  table: Table,
  signal?: AbortSignal | undefined,
): Promise<ResultSink> {
  await expectWritable(file);
  const writer = parquetWriter(rowTarget(file, { signal }), table.columns);
  return {
    done: new Map(),
    resumable: false,
    async write(lines) {
      for (const result of resultsOf(lines)) for (const row of table.rowsOf(result)) await writer.write(row);
    },
    close: (outcome) => (outcome === 'failed' ? writer.discard() : writer.finish()),
  };
}
