/** Type of the cells of a column. */
export type CellType = 'string' | 'double' | 'int32' | 'int32[]' | 'float[]';
/** null only in columns that are optional. */
export type Cell = string | number | readonly number[] | null;
export interface TableColumn {
  readonly name: string;
  readonly type: CellType;
  /** Whether cells may be null; not for lists. Default false. */
  readonly optional?: boolean;
}
