import type { AttentionMask, Tensor, TokenIds } from './tensor.ts';

/** A decoded image: 8-bit RGB values (0-255), row-major. */
export type RgbImage = Tensor<'uint8', [height: number, width: number, channels: 3]>;

/** Raw 8-bit pixel values (0-255), as returned by a canvas or camera. `channels`: 1 grey, 3 RGB, 4 RGBA. */
export interface RawImage {
  readonly data: Uint8Array | Uint8ClampedArray;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

/**
 * Accepted image inputs: a path or URL (`file:`, `data:`, http or https), encoded bytes, a `Blob`, raw pixels, a
 * decoded
 * image, or a sharp instance.
 */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Blob | RawImage | RgbImage | SharpLike;
/**
 * The methods of a sharp instance that decoding uses. Declared structurally, although it is the shape of a third-party
 * object, so that this package has no dependencies and instances of any sharp version are accepted.
 */
export interface SharpLike {
  clone(): SharpLike;
  removeAlpha(): SharpLike;
  toColourspace(colourspace: string): SharpLike;
  raw(options: { readonly depth: 'uchar' }): SharpLike;
  toBuffer(options: {
    resolveWithObject: true;
  }): Promise<{ data: Uint8Array; info: { width: number; height: number; channels: number } }>;
}

/** Converts text to token ids and back. */
export interface TextTokenizer {
  readonly padTokenId: number | undefined;
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  decode(ids: TokenIds, options?: { readonly skipSpecialTokens?: boolean }): string;
}

/** Model inputs of a batch. Without padding, rows of ids may differ in length. */
export interface ProcessedInputs {
  /** `[batch, channels, height, width]`. Float32, or 8-bit pixel values if neither rescaled nor normalised. */
  readonly pixelValues?: Tensor<'float32' | 'uint8', [batch: number, channels: number, height: number, width: number]>;
  readonly inputIds?: readonly TokenIds[];
  readonly attentionMask?: AttentionMask;
  /** Ids of the instruction for the Q-Former (InstructBLIP). */
  readonly qformerInputIds?: readonly TokenIds[];
  readonly qformerAttentionMask?: AttentionMask;
}
