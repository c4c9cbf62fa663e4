import type {
  AttentionMask,
  Logits,
  PatchFeatures,
  PixelValues,
  QueryFeatures,
  TokenEmbeddings,
  TokenIds,
} from './tensor.ts';
import { type Token, token } from './token.ts';
import type { LossAndGradient, LossOptions } from './training.ts';

/** Options of `VisionEncoder.encode`. */
export interface EncodeOptions {
  /** Accept image sizes other than `imageSize` by interpolating the position embedding. Default false. */
  readonly interpolatePosEncoding?: boolean;
}

/** Options of `prepare`. */
export interface PrepareOptions {
  /**
   * Also do what would delay the second use, for parts that have been used once: prepack weights, or map prepacked
   * ones. Default: false.
   */
  readonly repeated?: boolean;
}

/** A vision encoder: maps images to one hidden state per patch. */
export interface VisionEncoder extends AsyncDisposable {
  /** Height and width of its input, in pixels. */
  readonly imageSize: number;
  /** Whether images of other sizes are accepted without `interpolatePosEncoding`. Default false. */
  readonly acceptsAnySize?: boolean;
  readonly hiddenSize: number;
  encode(pixelValues: PixelValues, options?: EncodeOptions): Promise<PatchFeatures>;
  /**
   * Builds and loads the graphs of `encode` ahead of the first call, on another thread. Optional to implement and to
   * call.
   */
  prepare?(options?: PrepareOptions): Promise<void>;
}

/** A Querying Transformer (Q-Former): learned query tokens attend to the patches; one hidden state per query token. */
export interface QFormer extends AsyncDisposable {
  readonly conditioning: 'none';
  readonly numQueryTokens: number;
  readonly hiddenSize: number;
  /** Width of the patch features that cross-attention takes. */
  readonly encoderHiddenSize: number;
  query(patches: PatchFeatures): Promise<QueryFeatures>;
}

/** A Q-Former whose query tokens also attend to a text (InstructBLIP, image-text matching). */
export interface TextConditionedQFormer extends Omit<QFormer, 'conditioning' | 'query'> {
  readonly conditioning: 'text';
  query(
    patches: PatchFeatures,
    text: { readonly inputIds: readonly TokenIds[]; readonly attentionMask: AttentionMask },
  ): Promise<QueryFeatures>;
}

/** Projects query features into the token embedding space of a language model. */
export interface LanguageProjection extends AsyncDisposable {
  readonly inFeatures: number;
  readonly outFeatures: number;
  project(queries: QueryFeatures): Promise<TokenEmbeddings>;
}

/** Input of the prefill of a language model. */
export interface Prompt {
  readonly inputsEmbeds: TokenEmbeddings;
  readonly attentionMask: AttentionMask;
  /** First ids of a seq2seq decoder, one row per sequence. Default: its start token. */
  readonly decoderInputIds?: readonly TokenIds[];
}

/** A causal or seq2seq language model that takes embeddings and returns next-token logits. */
export interface LanguageModel extends AsyncDisposable {
  readonly architecture: 'causal' | 'seq2seq';
  /** Width of its input embeddings (OPT: `word_embed_proj_dim`). */
  readonly embeddingSize: number;
  readonly vocabularySize: number;
  /** Maximum number of positions, prompt included; `Infinity` if unlimited. */
  readonly maxPositions: number;
  /** Special token ids of the checkpoint: the defaults of `generate`. */
  readonly specialTokens: SpecialTokens;
  /** Looks up token embeddings: rows of equal length → `[rows, sequence, embeddingSize]`. */
  embed(inputIds: readonly TokenIds[]): Promise<TokenEmbeddings>;
  /** Runs the prefill. A seq2seq model encodes the prompt and decodes its start token, or `decoderInputIds`. */
  start(prompt: Prompt): Promise<Decoding>;
  /**
   * The loss over `targets` after a prefix, and its gradient with respect to the prefix: what a part in front of the
   * model is trained with. Optional to implement; `expectDifferentiable` refuses models without it.
   * @param prefix `[batch, positions, embeddingSize]`
   * @param targets Ids to predict, one row per row of the prefix; rows may differ in length.
   */
  lossAndGradient?(
    prefix: TokenEmbeddings,
    targets: readonly TokenIds[],
    options?: LossOptions,
  ): Promise<LossAndGradient>;
  /**
   * Builds and loads the graphs of decoding ahead of the first call, on another thread. Optional to implement and to
   * call.
   */
  prepare?(options?: PrepareOptions): Promise<void>;
}

/** Special token ids of a language model. */
export interface SpecialTokens {
  readonly bosTokenId?: number;
  /** One id, or several that all end a sequence. */
  readonly eosTokenId?: number | readonly number[];
  readonly padTokenId?: number;
  readonly decoderStartTokenId?: number;
}

/** An autoregressive decoding in progress; owns the key-value cache. */
export interface Decoding extends AsyncDisposable {
  /** Positions in the cache: prompt and new tokens (causal), or decoder tokens (seq2seq). */
  readonly length: number;
  /**
   * Logits after the last position of every row, `[rows, 1, vocabulary]`.
   * @throws Blip2Error `INVALID_STATE` between a `crop` that removed positions and the next `extend`.
   */
  readonly logits: Logits;
  /** Appends tokens or embeddings to every row and returns the logits after the last position, or after each. */
  extend(more: Extension): Promise<Logits>;
  /**
   * Creates an independent decoding that continues from the current state.
   * @param rows Only these rows, in this order; for decodings that have `append`. Default: all.
   */
  fork(rows?: readonly number[]): Promise<Decoding>;
  /** Removes all positions after the first `length` from the cache. `logits` is unavailable until the next `extend`. */
  crop(length: number): Promise<void>;
  /**
   * Appends copies of rows of another decoding of the same model after the rows of this one. The other one is
   * unchanged. Rows of unequal length are padded on the left, so that they end together, and `length` is that of the
   * longest; each row continues as if it were alone. `logits` is unavailable until the next `extend`. Optional to
   * implement: requests of models without it are decoded one at a time.
   * @param rows Rows of `other`. Default: all.
   * @throws Blip2Error `INVALID_ARGUMENT` for a decoding of another model, and for unknown rows.
   */
  append?(other: Decoding, rows?: readonly number[]): Promise<void>;
  /** Bytes of the key-value cache. Optional to implement: caches of unknown size are not kept for later requests. */
  readonly byteLength?: number | undefined;
}

/** Positions appended by `Decoding.extend`: token ids or embeddings, one row per sequence. */
export type Extension = ({ readonly ids: readonly TokenIds[] } | { readonly inputsEmbeds: TokenEmbeddings }) & {
  /** Row `i` continues row `parents[i]` (default: row `i`); the number of rows may change. */
  readonly parents?: readonly number[];
  /** Attention mask of the new positions; rows of unequal length are padded on the left. Default: all ones. */
  readonly attentionMask?: AttentionMask;
  /** Return the logits after the last new position (default) or after each of them. */
  readonly logits?: 'last' | 'all';
};

/** Container token of the vision encoder. */
export const VisionEncoder: Token<VisionEncoder> = token('VisionEncoder');
/** Container token of the Q-Former. */
export const QFormer: Token<QFormer> = token('QFormer');
/** Container token of the language projection. */
export const LanguageProjection: Token<LanguageProjection> = token('LanguageProjection');
/** Container token of the language model. */
export const LanguageModel: Token<LanguageModel> = token('LanguageModel');
