/** The typed array behind each element type. */
export interface TypedArrays {
  readonly float32: Float32Array;
  readonly int64: BigInt64Array;
  readonly int32: Int32Array;
  readonly uint8: Uint8Array;
  readonly bool: Uint8Array;
}
export type TensorType = keyof TypedArrays;
export type Dims = readonly number[];

/**
 * A dense, row-major array. Axis names live in the type: `Tensor<'float32', [batch: number, …]>`.
 * A plain object: it crosses threads, and onnxruntime's own `Tensor` is one.
 */
export interface Tensor<T extends TensorType = TensorType, D extends Dims = Dims> {
  readonly type: T;
  readonly dims: Readonly<D>;
  readonly data: TypedArrays[T];
}

/** Normalised images, channels first. */
export type PixelValues = Tensor<'float32', [batch: number, channels: number, height: number, width: number]>;
/** One vector per patch, the class position first. */
export type PatchFeatures = Tensor<'float32', [batch: number, patches: number, visionHidden: number]>;
/** One vector per query token. */
export type QueryFeatures = Tensor<'float32', [batch: number, queries: number, qformerHidden: number]>;
/** Vectors in the word-embedding space of a language model. */
export type TokenEmbeddings = Tensor<'float32', [batch: number, sequence: number, textHidden: number]>;
/** Scores before softmax, over the vocabulary. */
export type Logits = Tensor<'float32', [batch: number, positions: number, vocabulary: number]>;
/** States of one layer. */
export type HiddenStates = Tensor<'float32', [batch: number, sequence: number, hidden: number]>;
/** Attention probabilities of one layer. */
export type Attentions = Tensor<
  'float32',
  [batch: number, heads: number, queryPositions: number, keyPositions: number]
>;

/** One row of token ids. Rows of a batch may differ in length. */
export type TokenIds = readonly number[];
/** 1 where a position counts, 0 where it is padding; one row per sequence. */
export type AttentionMask = readonly (readonly number[])[];
/** Ids or masks as rows; an int64 tensor `[batch, sequence]` is accepted too. */
export type Rows = readonly (readonly number[])[] | Tensor<'int64', [batch: number, sequence: number]>;
