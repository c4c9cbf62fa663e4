import type { AttentionMask, Tensor, TokenIds } from './tensor.ts';

/** Levels of a decoded image, row by row, red green blue. */
export type RgbImage = Tensor<'uint8', [height: number, width: number, channels: 3]>;

/** Raw levels, as a canvas or camera has them. `channels` 1 grey, 3 RGB, 4 RGBA. */
export interface RawImage {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

/** What an image may be: a path, encoded bytes, a `Blob`, raw levels, an already decoded image, or a sharp instance. */
export type ImageSource = string | URL | Uint8Array | Blob | RawImage | RgbImage | SharpLike;
/** The methods of a sharp instance that decoding needs. */
export interface SharpLike {
  clone(): SharpLike;
  removeAlpha(): SharpLike;
  toColourspace(colourspace: string): SharpLike;
  raw(options: { readonly depth: 'uchar' }): SharpLike;
  toBuffer(options: {
    resolveWithObject: true;
  }): Promise<{ data: Uint8Array; info: { width: number; height: number; channels: number } }>;
}

/** Text to token ids and back. */
export interface TextTokenizer {
  readonly padTokenId: number | undefined;
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  decode(ids: TokenIds, options?: { readonly skipSpecialTokens?: boolean }): string;
}

/** Model inputs of a batch. Rows of ids are ragged unless padding was asked for. */
export interface ProcessedInputs {
  /** Float values, or levels if neither rescaled nor normalised. */
  readonly pixelValues?: Tensor<'float32' | 'uint8', [batch: number, channels: number, height: number, width: number]>;
  readonly inputIds?: readonly TokenIds[];
  readonly attentionMask?: AttentionMask;
  readonly qformerInputIds?: readonly TokenIds[];
  readonly qformerAttentionMask?: AttentionMask;
}
