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

/**
 * How the matrices of linear layers are held. `fp32`: as floats. `int8`: one scale per row of the weight, activations
 * quantised as they come.
 * `q8` and `q4`: blocks of 8 or 4 bits with a scale each.
 */
export type Precision = 'fp32' | 'int8' | 'q8' | 'q4';

/** A precision, or a preset: `fast` is the quickest mix, `small` the one that takes least memory. */
export type PrecisionChoice = Precision | 'fast' | 'small';

/** A matrix `[out, in]` of a linear layer as integers, with one scale per output. */
export interface ColumnQuantizedWeight {
  readonly precision: 'int8';
  /** `[out, in]`. */
  readonly shape: readonly number[];
  /** `I8 [in, out]`. */
  readonly values: StoredTensor;
  /** `F32 [out]`. */
  readonly scales: StoredTensor;
}

/** A matrix `[out, in]` of a linear layer as integers, with one scale per block of `blockSize` inputs of one output. */
export interface BlockQuantizedWeight {
  readonly precision: 'q8' | 'q4';
  /** `[out, in]`. */
  readonly shape: readonly number[];
  readonly blockSize: number;
  /**
   * `U8 [out, blocks, bytes]`: the weights of a block in order, of 4 bits the low ones first; the last block is filled
   * up with zeros. 128, or 8, stands for zero.
   */
  readonly values: StoredTensor;
  /** `F32 [out, blocks]`. */
  readonly scales: StoredTensor;
}

export type QuantizedWeight = ColumnQuantizedWeight | BlockQuantizedWeight;

/**
 * A norm whose result linear layers read and nothing else does: what a feature is divided by in the norm, the layers
 * may multiply it with.
 */
export interface NormFold {
  readonly norm: string;
  /** The norm's bias, where it has one. */
  readonly shift?: string;
  /** The matrices that read it. */
  readonly layers: readonly string[];
}

/**
 * One tensor of a part as its graphs are to read it. Matrices of linear layers may become integers; everything else is
 * `fp32`.
 */
export interface PlannedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly precision: Precision;
  /** The fold that it belongs to. */
  readonly fold?: NormFold;
}

/** The tensors of a checkpoint by name. Headers only: no weight has been read. */
export interface WeightStore {
  /** The deepest folder that holds every file, links resolved: a runtime may read inside it only. */
  readonly folder: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Matrices that are held as integers, by the names that they have as floats; these need not be among `tensors`. */
  readonly quantized?: ReadonlyMap<string, QuantizedWeight>;
  /**
   * Absolute path of a folder in which a runtime may keep what it makes of these weights. Absent where that is not
   * worth it.
   */
  readonly packedFolder?: string;
}
