import type { GenerationOptions, RgbImage } from '@blip2/interfaces';

/** What one generated text came with. */
export interface TextResult {
  /** Decoded without special tokens, trimmed. */
  readonly text: string;
  /** The new tokens, the end token included when it came, no padding. */
  readonly tokenIds: readonly number[];
  /** Sum of the log-probabilities of the tokens (with beams: the score of the sequence). */
  readonly score: number;
  /** Milliseconds that the batch of this result took, by stage. */
  readonly timings: { readonly preprocess: number; readonly encode: number; readonly generate: number };
}

/** An image and the questions about it. */
export interface ImageQuestions {
  readonly image: RgbImage;
  readonly questions: readonly string[];
}

export interface CallOptions {
  /** What was asked for; the rest is the library's to decide. */
  readonly generation: GenerationOptions;
  /** Stops between two tokens. */
  readonly signal: AbortSignal;
}

/** All that the commands ask of a model. The real one is `loadModel`; tests bring a fake. */
export interface TaskModel extends AsyncDisposable {
  /** One result per image. */
  caption(images: readonly RgbImage[], options: CallOptions & { readonly prompt?: string }): Promise<readonly TextResult[]>;
  /** Per image, one result per question. Each image is encoded once. */
  ask(images: readonly ImageQuestions[], options: CallOptions & { readonly rawPrompt: boolean }): Promise<readonly (readonly TextResult[])[]>;
}

export interface LoadSettings {
  readonly dtype?: string;
  readonly device?: string;
  readonly threads?: number;
  /** Never ask the network. */
  readonly localFilesOnly: boolean;
  readonly signal: AbortSignal;
}
/** `source` is a folder in the Hugging Face layout, or a hub id. */
export type LoadModel = (source: string, settings: LoadSettings) => Promise<TaskModel>;

/** Decodes a picture, upright, to RGB levels. Throws `INVALID_IMAGE`, `UNSUPPORTED_IMAGE`, `IMAGE_TOO_LARGE` or `MISSING_FILE`. */
export type DecodeImage = (source: string | URL | Uint8Array, options: { readonly signal: AbortSignal }) => Promise<RgbImage>;
