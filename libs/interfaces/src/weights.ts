/** Element type of a tensor in a safetensors file. Weights are read from `F64`, `F32`, `F16` and `BF16` only. */
export type StoredType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL'
  | 'C64'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'F8_E8M0'
  | 'F8_E4M3FNUZ'
  | 'F8_E5M2FNUZ'
  | 'F6_E2M3'
  | 'F6_E3M2'
  | 'F4';

/** A tensor in a file: little-endian, row-major bytes. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  /** Absolute path with symbolic links resolved. */
  readonly file: string;
  readonly byteOffset: number;
  readonly byteLength: number;
  /**
   * Version of the file in which its header was read. The tensor is only read from that version. Absent: any version is
   * read.
   */
  readonly version?: string;
}

/** A file and the version of it that belongs to a graph or to the tensors in it. Versions are compared as text. */
export interface VersionedFile {
  /** Absolute path. */
  readonly file: string;
  readonly version: string;
}

/**
 * Storage of the weight matrices of linear layers. `fp32`: unquantised. `int8`: one scale per output channel, with
 * activations quantised at run time. `q8`, `q4`: blocks of 8-bit or 4-bit integers with one scale per block.
 */
export type Precision = 'fp32' | 'int8' | 'q8' | 'q4';

/** A precision or a preset. `fast`: the mix with the lowest latency. `small`: the one with the lowest memory use. */
export type PrecisionChoice = Precision | 'fast' | 'small';

/** An int8 weight matrix `[out, in]` of a linear layer, one scale per output channel. */
export interface ColumnQuantizedWeight {
  readonly precision: 'int8';
  /** `[out, in]`. */
  readonly shape: readonly number[];
  /** `I8 [in, out]`. */
  readonly values: StoredTensor;
  /** `F32 [out]`. */
  readonly scales: StoredTensor;
}

/** A block-quantised weight matrix `[out, in]` of a linear layer: one scale per `blockSize` inputs of an output. */
export interface BlockQuantizedWeight {
  readonly precision: 'q8' | 'q4';
  /** `[out, in]`. */
  readonly shape: readonly number[];
  readonly blockSize: number;
  /**
   * `U8 [out, blocks, bytes]`. 4-bit values are packed two per byte, low nibble first; the last block is padded with
   * zero bytes. The zero point is 128 (`q8`) or 8 (`q4`).
   */
  readonly values: StoredTensor;
  /** `F32 [out, blocks]`. */
  readonly scales: StoredTensor;
}

/** A quantised weight matrix of a linear layer. */
export type QuantizedWeight = ColumnQuantizedWeight | BlockQuantizedWeight;

/**
 * A norm consumed only by linear layers. A per-feature scale can be moved from the norm's weight into theirs
 * (SmoothQuant).
 */
export interface NormFold {
  /** Tensor name of the norm's weight. */
  readonly norm: string;
  /** Tensor name of the norm's bias, if it has one. */
  readonly shift?: string;
  /** Tensor names of the weight matrices that consume the norm's output. */
  readonly layers: readonly string[];
}

/** A tensor of a part and the precision planned for it. Only weight matrices of linear layers may be quantised. */
export interface PlannedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly precision: Precision;
  /** Whether the checkpoint stores the matrix as `[in, out]`, the transpose of `shape`. */
  readonly transposed?: true;
  /** The fold that this tensor takes part in. */
  readonly fold?: NormFold;
}

/** The tensors of a checkpoint by name. Only headers are read; weights are mapped in place. */
export interface WeightStore {
  /** The deepest folder that contains every file, links resolved. A runtime may read files inside it only. */
  readonly folder: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Quantised matrices by the names of the original float matrices, which need not be among `tensors`. */
  readonly quantized?: ReadonlyMap<string, QuantizedWeight>;
  /** Absolute path of the folder in which a runtime may cache prepacked weights. Absent: it must not cache them. */
  readonly packedFolder?: string;
}
