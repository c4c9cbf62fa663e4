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

export interface EncodeOptions {
  /** Accept other sizes than `imageSize` by resizing the table of positions. Default false. */
  readonly interpolatePosEncoding?: boolean;
}

/** Turns images into one feature vector per patch. */
export interface VisionEncoder extends AsyncDisposable {
  /** Height and width it expects, in pixels. */
  readonly imageSize: number;
  readonly hiddenSize: number;
  encode(pixelValues: PixelValues, options?: EncodeOptions): Promise<PatchFeatures>;
  /**
   * Makes what `encode` needs ahead of its first use: in a thread of its own, while the caller does something else.
   * Optional, for the caller too.
   */
  prepare?(): Promise<void>;
}

/** Querying Transformer: learned queries read the patches and return a fixed number of vectors. */
export interface QFormer extends AsyncDisposable {
  readonly conditioning: 'none';
  readonly numQueryTokens: number;
  readonly hiddenSize: number;
  /** Width of the patches it reads. */
  readonly encoderHiddenSize: number;
  query(patches: PatchFeatures): Promise<QueryFeatures>;
}

/** A Q-Former whose queries also read a text (InstructBLIP, image-text matching). */
export interface TextConditionedQFormer extends Omit<QFormer, 'conditioning' | 'query'> {
  readonly conditioning: 'text';
  query(
    patches: PatchFeatures,
    text: { readonly inputIds: readonly TokenIds[]; readonly attentionMask: AttentionMask },
  ): Promise<QueryFeatures>;
}

/** Maps query vectors into the word-embedding space of a language model. */
export interface LanguageProjection extends AsyncDisposable {
  readonly inFeatures: number;
  readonly outFeatures: number;
  project(queries: QueryFeatures): Promise<TokenEmbeddings>;
}

/** What a language model reads before the first new token. */
export interface Prompt {
  readonly inputsEmbeds: TokenEmbeddings;
  readonly attentionMask: AttentionMask;
  /** Where a seq2seq decoder begins, one row each; default: its start token. */
  readonly decoderInputIds?: readonly TokenIds[];
}

/** A text model that reads embeddings and scores the next token, causal or seq2seq. */
export interface LanguageModel extends AsyncDisposable {
  readonly architecture: 'causal' | 'seq2seq';
  /** Width of the embeddings it takes (OPT: `word_embed_proj_dim`). */
  readonly embeddingSize: number;
  readonly vocabularySize: number;
  /** Positions it can hold, prompt included; `Infinity` where nothing limits it. */
  readonly maxPositions: number;
  /** Token ids by name, from the checkpoint's configuration: the defaults of `generate`. */
  readonly specialTokens: SpecialTokens;
  /** Rows of equal length → `[rows, sequence, embeddingSize]`. */
  embed(inputIds: readonly TokenIds[]): Promise<TokenEmbeddings>;
  /** Reads a prompt. A seq2seq model encodes it and begins at its start token, or at `decoderInputIds`. */
  start(prompt: Prompt): Promise<Decoding>;
  /**
   * Makes what decoding needs ahead of its first use: in a thread of its own, while the caller does something else.
   * Optional, for the caller too.
   */
  prepare?(): Promise<void>;
}

export interface SpecialTokens {
  readonly bosTokenId?: number;
  readonly eosTokenId?: number | readonly number[];
  readonly padTokenId?: number;
  readonly decoderStartTokenId?: number;
}

/** A decoding in progress; owns the key-value cache, wherever that lives. */
export interface Decoding extends AsyncDisposable {
  /** Positions held so far: of the prompt and the new tokens (causal), or of the decoder (seq2seq). */
  readonly length: number;
  /**
   * Scores after the last position of every row: `[rows, 1, vocabulary]`. @throws Blip2Error `INVALID_STATE` from a
   * `crop` that forgot something to the next `extend`.
   */
  readonly logits: Logits;
  /** Appends tokens or embeddings to every row and returns the scores after the last one, or after each. */
  extend(more: Extension): Promise<Logits>;
  /** A second decoding that goes on from here. */
  fork(): Promise<Decoding>;
  /**
   * Forgets everything after the first `length` positions, and the scores with it: those after an earlier position are
   * not kept.
   */
  crop(length: number): Promise<void>;
}

export type Extension = ({ readonly ids: readonly TokenIds[] } | { readonly inputsEmbeds: TokenEmbeddings }) & {
  /** Row `i` continues row `parents[i]` (default: row `i`); the number of rows may change. */
  readonly parents?: readonly number[];
  /** Which of the new positions count, one row each; rows of unequal length are padded on the left. Default: all. */
  readonly attentionMask?: AttentionMask;
  /** Scores after the last position (default) or after every position given. */
  readonly logits?: 'last' | 'all';
};

/** The run-time names of the seams, for a container. */
export const VisionEncoder: Token<VisionEncoder> = token('VisionEncoder');
export const QFormer: Token<QFormer> = token('QFormer');
export const LanguageProjection: Token<LanguageProjection> = token('LanguageProjection');
export const LanguageModel: Token<LanguageModel> = token('LanguageModel');
