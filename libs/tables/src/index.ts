export type { ArrayWriter, Row } from './array-writer.ts';
export type { Cell, CellType, TableColumn } from './columns.ts';
export { jsonLinesWriter, type ObjectWriter } from './json-lines-writer.ts';
export { npyHeader, npyWriter } from './npy-writer.ts';
export { type ParquetOptions, parquetWriter, type RowWriter } from './parquet-writer.ts';
export type { Destination, RowTarget } from './row-target.ts';
export { rowsFile } from './rows-file.ts';
export { type PlaceFile, tensorsWriter } from './tensors-writer.ts';
