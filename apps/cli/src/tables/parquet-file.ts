import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from 'hyparquet-writer';

import { expectWritable } from '../output/open-sink.ts';
import { replacedFile } from '../output/replaced-file.ts';
import { resultsOf } from '../output/result-lines.ts';
import type { ResultSink } from '../output/result-sink.ts';
import type { Cell, CellType, Table, TableColumn } from './table.ts';

/**
 * A row group is written when it has this many rows, or this many values (4 MiB of floats): the writer needs several
 * times that while it works.
 */
const ROWS_PER_GROUP = 10_000;
const VALUES_PER_GROUP = 2 ** 20;

/**
 * A Parquet file with the results as rows, in row groups as the run goes, under a temporary name until it is whole.
 * Inputs that failed are left out; without a single row no file is made.
 */
export async function openParquetFile(file: string, table: Table): Promise<ResultSink> {
  await expectWritable(file);
  const writer = parquetWriter(file, table.columns);
  return {
    done: new Set(),
    resumable: false,
    async write(lines) {
      for (const result of resultsOf(lines)) for (const row of table.rowsOf(result)) await writer.write(row);
    },
    close: (outcome) => (outcome === 'failed' ? writer.discard() : writer.finish()),
  };
}

/** Writes rows to a file; what is not finished leaves nothing behind. */
export interface ParquetRows {
  write(row: readonly Cell[]): Promise<void>;
  finish(): Promise<void>;
  discard(): Promise<void>;
}

export function parquetWriter(file: string, columns: readonly TableColumn[]): ParquetRows {
  const target = replacedFile(file);
  const bytes = new ByteWriter();
  const parquet = new ParquetWriter({ writer: bytes, schema: schemaOf(columns) });
  let rows: (readonly Cell[])[] = [];
  let values = 0;
  let empty = true;
  const hand = async (): Promise<void> => {
    const content = bytes.getBytes().slice();
    // The library's own file writer begins its buffer anew in the same way; `offset` goes on.
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
    await hand();
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
          await hand();
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

/** Floats of embeddings hardly shrink, and nobody asks for the least of them. */
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

/** No cell is ever missing. Lists have the three levels that the format asks for. */
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
