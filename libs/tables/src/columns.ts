/** Type of the cells of a column. */
export type CellType = 'string' | 'double' | 'int32' | 'int32[]' | 'float[]';
export type Cell = string | number | readonly number[];
export interface TableColumn {
  readonly name: string;
  readonly type: CellType;
}
