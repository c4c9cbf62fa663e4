/** How a tensor is stored in a safetensors file. */
export type StoredType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

/** Where one tensor lies: little-endian, row-major bytes inside a file. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  /** Absolute path with every link resolved. */
  readonly file: string;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** The tensors of a checkpoint by name. Headers only: no weight has been read. */
export interface WeightStore {
  /** The deepest folder that holds every file, links resolved: a runtime may read inside it only. */
  readonly folder: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}
