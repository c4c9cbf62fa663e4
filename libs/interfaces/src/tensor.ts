/** The typed array that stores each element type. */
export interface TypedArrays {
  readonly float32: Float32Array;
  readonly int64: BigInt64Array;
  readonly int32: Int32Array;
  readonly uint8: Uint8Array;
  readonly bool: Uint8Array;
}
/** Element type of a tensor. */
export type TensorType = keyof TypedArrays;
/** Axis lengths of a tensor. */
export type Dims = readonly number[];

/**
 * A dense, row-major tensor. Axis names are part of the type: `Tensor<'float32', [batch: number, …]>`. A plain object,
 * so that it can be posted to worker threads; onnxruntime's `Tensor` is assignable to it.
 */
export interface Tensor<T extends TensorType = TensorType, D extends Dims = Dims> {
  readonly type: T;
  readonly dims: Readonly<D>;
  readonly data: TypedArrays[T];
}

/** Normalised images, channels first. */
export type PixelValues = Tensor<'float32', [batch: number, channels: number, height: number, width: number]>;
/** Output of a vision encoder: one hidden state per patch, that of the class token (if any) first. */
export type PatchFeatures = Tensor<'float32', [batch: number, patches: number, visionHidden: number]>;
/** Output of a Q-Former: one hidden state per query token. */
export type QueryFeatures = Tensor<'float32', [batch: number, queries: number, qformerHidden: number]>;
/** Token embeddings of a language model, or vectors projected into their space. */
export type TokenEmbeddings = Tensor<'float32', [batch: number, sequence: number, textHidden: number]>;
/** Next-token logits over the vocabulary. */
export type Logits = Tensor<'float32', [batch: number, positions: number, vocabulary: number]>;
/** Hidden states of one layer. */
export type HiddenStates = Tensor<'float32', [batch: number, sequence: number, hidden: number]>;
/** Attention probabilities of one layer. */
export type Attentions = Tensor<
  'float32',
  [batch: number, heads: number, queryPositions: number, keyPositions: number]
>;

/** One sequence of token ids. Sequences of a batch may differ in length. */
export type TokenIds = readonly number[];
/** 1 for positions that are attended to, 0 for padding; one row per sequence. */
export type AttentionMask = readonly (readonly number[])[];
/** Ids or mask of a batch: rows, or an int64 tensor `[batch, sequence]`. */
export type Rows = readonly (readonly number[])[] | Tensor<'int64', [batch: number, sequence: number]>;
