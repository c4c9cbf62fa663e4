import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from 'hyparquet-writer';

import type { Cell, CellType, TableColumn } from './columns.ts';
import { expectCells } from './expect-rows.ts';
import { type Destination, openTarget, type RowTarget } from './row-target.ts';

/** Limits of a row group: rows, and values (4 MiB of floats). The writer needs several times that memory. */
const ROWS_PER_GROUP = 10_000;
const VALUES_PER_GROUP = 2 ** 20;

/** Writes rows, in order. One of `finish` and `discard` must be called in the end. */
export interface RowWriter {
  /** One cell per column. */
  write(row: readonly Cell[]): Promise<void>;
  /** Completes the output. Without rows, none is created. */
  finish(): Promise<void>;
  discard(): Promise<void>;
}

/** Options of `parquetWriter`. */
export interface ParquetOptions {
  /** Key-value metadata of the file. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A Parquet file. Row groups are written as they are complete. */
export function parquetWriter(
  destination: Destination,
  columns: readonly TableColumn[],
  { metadata = {} }: ParquetOptions = {},
): RowWriter {
  const bytes = new ByteWriter();
  const kvMetadata = Object.entries(metadata).map(([key, value]) => ({ key, value }));
  const parquet = new ParquetWriter({
    writer: bytes,
    schema: schemaOf(columns),
    ...(kvMetadata.length > 0 && { kvMetadata }),
  });
  let opened: RowTarget | undefined;
  let rows: (readonly Cell[])[] = [];
  let values = 0;
  const taken = (): RowTarget | undefined => {
    const closing = opened;
    opened = undefined;
    return closing;
  };
  const flush = async (): Promise<void> => {
    const content = bytes.getBytes().slice();
    // As the library's own file writer does: reuse the buffer, and let `offset` continue.
    bytes.index = 0;
    opened ??= await openTarget(destination);
    await opened.write(content);
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
    [rows, values] = [[], 0];
    await flush();
  };
  return {
    async write(row) {
      expectCells(columns, row);
      rows.push(row);
      for (const cell of row) values += Array.isArray(cell) ? cell.length : 1;
      if (rows.length >= ROWS_PER_GROUP || values >= VALUES_PER_GROUP) await writeGroup();
    },
    async finish() {
      try {
        await writeGroup();
        if (!opened) return;
        await parquet.finish();
        await flush();
        const target = opened;
        await target.commit();
        opened = undefined;
      } catch (error) {
        await taken()?.discard();
        throw error;
      }
    },
    discard: async () => taken()?.discard(),
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

/** Every cell is required, unless its column is optional. Lists have the three levels that the format prescribes. */
function schemaOf(columns: readonly TableColumn[]): SchemaElement[] {
  return [
    { name: 'results', num_children: columns.length },
    ...columns.flatMap(({ name, type, optional = false }): SchemaElement[] => {
      const value = PHYSICAL[type];
      if (!type.endsWith('[]')) return [{ name, repetition_type: optional ? 'OPTIONAL' : 'REQUIRED', ...value }];
      return [
        { name, repetition_type: 'REQUIRED', converted_type: 'LIST', num_children: 1 },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'REQUIRED', ...value },
      ];
    }),
  ];
}
