import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from 'hyparquet-writer';

import { expectWritable } from '../output/output-path.ts';
import { replacedFile } from '../output/replaced-file.ts';
import type { ResultSink } from '../output/result-sink.ts';
import { type Cell, type CellType, resultsOf, type Table, type TableColumn } from './table.ts';

/** Limits of a row group: rows, and values (4 MiB of floats). The writer needs several times that memory. */
const ROWS_PER_GROUP = 10_000;
const VALUES_PER_GROUP = 2 ** 20;

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
  const writer = parquetWriter(file, table.columns, signal);
  return {
    done: new Map(),
    resumable: false,
    async write(lines) {
      for (const result of resultsOf(lines)) for (const row of table.rowsOf(result)) await writer.write(row);
    },
    close: (outcome) => (outcome === 'failed' ? writer.discard() : writer.finish()),
  };
}

/** Writes rows to a file. An unfinished file is deleted. */
export interface ParquetRows {
  write(row: readonly Cell[]): Promise<void>;
  finish(): Promise<void>;
  discard(): Promise<void>;
}

export function parquetWriter(
  file: string,
  columns: readonly TableColumn[],
  signal?: AbortSignal | undefined,
): ParquetRows {
  const target = replacedFile(file, { signal });
  const bytes = new ByteWriter();
  const parquet = new ParquetWriter({ writer: bytes, schema: schemaOf(columns) });
  let rows: (readonly Cell[])[] = [];
  let values = 0;
  let empty = true;
  const flush = async (): Promise<void> => {
    const content = bytes.getBytes().slice();
    // As the library's own file writer does: reuse the buffer, and let `offset` continue.
    bytes.index = 0;
    await target.write(content);
  };
  const writeGroup = async (): Promise<void> => {
    if (rows.length === 0) return;
    const columnData = columns.map((column, index) =>
      sourceOf(
        column,
        rows.map((row) => row[index]),
      ),
    );
    await parquet.write({ columnData, rowGroupSize: rows.length });
    [rows, values, empty] = [[], 0, false];
    await flush();
  };
  return {
    async write(row) {
      rows.push(row);
      for (const cell of row) values += Array.isArray(cell) ? cell.length : 1;
      if (rows.length >= ROWS_PER_GROUP || values >= VALUES_PER_GROUP) await writeGroup();
    },
    async finish() {
      try {
        await writeGroup();
        if (!empty) {
          await parquet.finish();
          await flush();
        }
      } catch (error) {
        await target.close('failed');
        throw error;
      }
      await target.close('finished');
    },
    discard: () => target.close('failed'),
  };
}

/** Embeddings hardly compress, and their statistics are useless. */
function sourceOf({ name, type }: TableColumn, data: (Cell | undefined)[]): ColumnSource {
  return { name, data, ...(type === 'float[]' && { codec: 'UNCOMPRESSED', statistics: false, encoding: 'PLAIN' }) };
}

const PHYSICAL: Readonly<Record<CellType, Omit<SchemaElement, 'name'>>> = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  double: { type: 'DOUBLE' },
  int32: { type: 'INT32' },
  'int32[]': { type: 'INT32' },
  'float[]': { type: 'FLOAT' },
};

/** Every cell is required. Lists have the three levels that the format prescribes. */
function schemaOf(columns: readonly TableColumn[]): SchemaElement[] {
  return [
    { name: 'results', num_children: columns.length },
    ...columns.flatMap(({ name, type }): SchemaElement[] => {
      const value = PHYSICAL[type];
      if (!type.endsWith('[]')) return [{ name, repetition_type: 'REQUIRED', ...value }];
      return [
        { name, repetition_type: 'REQUIRED', converted_type: 'LIST', num_children: 1 },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'REQUIRED', ...value },
      ];
    }),
  ];
}
