import type { DownloadPlan } from '@blip2/hub';
import type { LoadProgress } from '@blip2/interfaces';
import type { GenerationOptions, RgbImage } from '@blip2/interfaces';
import type { ImageProcessorSettings } from '@blip2/processor';

import type { Thumbnail } from '../report/sheet-html.ts';

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
export interface TaskModel extends ImageModel {
  /** One result per image. */
  caption(
    images: readonly RgbImage[],
    options: CallOptions & { readonly prompt?: string },
  ): Promise<readonly TextResult[]>;
  /** Per image, one result per question. Each image is encoded once. */
  ask(
    images: readonly ImageQuestions[],
    options: CallOptions & { readonly rawPrompt: boolean },
  ): Promise<readonly (readonly TextResult[])[]>;
  /** The same for one image, as it is written. */
  streamCaption(image: RgbImage, options: CallOptions & { readonly prompt?: string }): TextStream;
  streamAnswer(image: RgbImage, question: string, options: CallOptions & { readonly rawPrompt: boolean }): TextStream;
  /** Per image, for each question all candidates, best first. Each image is encoded once. */
  rank(
    images: readonly ImageQuestions[],
    candidates: readonly string[],
    options: RankSettings,
  ): Promise<readonly (readonly (readonly RankedAnswer[])[])[]>;
  /** A conversation about an image. */
  chat(image: RgbImage, options: CallOptions): Promise<Conversation>;
}

/** A candidate answer and how likely it is. */
export interface RankedAnswer {
  readonly text: string;
  /** Sum of the log-probabilities of its tokens, and the same per token. */
  readonly logProb: number;
  readonly logProbPerToken: number;
  /** Share among the candidates. */
  readonly probability: number;
}

export interface RankSettings extends Pick<CallOptions, 'signal'> {
  readonly rawPrompt: boolean;
  readonly perToken: boolean;
}

/** A text on its way: pieces as they are written, or the whole. */
export interface TextStream extends PromiseLike<TextResult>, AsyncIterable<string> {
  /** What has been written so far, also after an abort. */
  readonly partial: TextResult | undefined;
}

export interface Conversation extends AsyncDisposable {
  /**
   * A question that no longer fits beside what has been said is refused with `SEQUENCE_TOO_LONG`, and counts as not
   * asked.
   */
  ask(question: string, options: Pick<CallOptions, 'signal'>): TextStream;
  /** Forgets what has been said. */
  clear(): void;
}

/** How well an image and a text fit. */
export interface MatchScore {
  /** Probability that they match, in [0, 1]. */
  readonly itm: number;
  /** Cosine, in [-1, 1]. */
  readonly itc: number;
}

/** An image and the texts that it is compared with. */
export interface ImageTexts {
  readonly image: RgbImage;
  readonly texts: readonly string[];
}

/** What the commands ask of a retrieval checkpoint. */
export interface RetrievalModel extends ImageModel {
  /** Per image, one score per text. Each image is encoded once. */
  match(
    items: readonly ImageTexts[],
    options: Pick<CallOptions, 'signal'>,
  ): Promise<readonly (readonly MatchScore[])[]>;
}

/** A part whose features `blip2 embed` writes. */
export type EmbedPart = 'vision' | 'qformer' | 'projection' | 'image-proj' | 'text' | 'text-proj' | 'multimodal';
/** Values of one input, row-major. */
export interface Embedding {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** What the commands ask of any checkpoint that features are taken from; it is loaded for one part. */
export interface EmbeddingModel extends ImageModel {
  /** One embedding per image. */
  embedImages(images: readonly RgbImage[], options: Pick<CallOptions, 'signal'>): Promise<readonly Embedding[]>;
  /** One per text. */
  embedTexts(texts: readonly string[], options: Pick<CallOptions, 'signal'>): Promise<readonly Embedding[]>;
  /** Per image, one per text. */
  embedPairs(
    items: readonly ImageTexts[],
    options: Pick<CallOptions, 'signal'>,
  ): Promise<readonly (readonly Embedding[])[]>;
}

export interface LoadSettings {
  readonly dtype?: string;
  readonly device?: string;
  readonly threads?: number;
  /** A file with a `Blip2Module`. */
  readonly module?: string;
  /** Never ask the network. */
  readonly localFilesOnly: boolean;
  readonly signal: AbortSignal;
  /** Hear of a download: what it will bring, and how far it is. */
  readonly onPlan?: (plan: DownloadPlan) => void;
  readonly onProgress?: (progress: LoadProgress) => void;
}
/** `source` is a folder in the Hugging Face layout, or a hub id. */
export type Load<Model> = (source: string, settings: LoadSettings) => Promise<Model>;
export type LoadModel = Load<TaskModel>;
export type LoadEmbeddingModel = (source: string, part: EmbedPart, settings: LoadSettings) => Promise<EmbeddingModel>;

/** The size that a model's image processor brings images to, in pixels, and its filter. */
export interface Resizing extends Pick<ImageProcessorSettings, 'resample'> {
  readonly height: number;
  readonly width: number;
}

/** A model that images are given to, many of them. */
export interface ImageModel extends AsyncDisposable {
  /**
   * Images may be resized so before they are given: that changes nothing, and they take less memory. None where the
   * model takes them as they are.
   */
  readonly resizing?: Resizing | undefined;
}

export interface OpenImageOptions {
  readonly resizing?: Resizing | undefined;
  /** URLs may lead to this machine and its network. */
  readonly allowPrivateUrls?: boolean | undefined;
  /** Make a small JPEG too. */
  readonly thumbnail?: boolean | undefined;
  readonly signal: AbortSignal;
}
/** An image and the size that it has itself, upright, in pixels. */
export interface OpenedImage {
  readonly image: RgbImage;
  readonly thumbnail?: Thumbnail;
  readonly width: number;
  readonly height: number;
}
/**
 * Decodes an image, upright, to RGB levels, and resizes it where that is asked for. Throws `INVALID_IMAGE`,
 * `UNSUPPORTED_IMAGE`, `IMAGE_TOO_LARGE` or `MISSING_FILE`.
 */
export type OpenImage = (source: string | URL | Uint8Array, options: OpenImageOptions) => Promise<OpenedImage>;

/** Opens images somewhere else. */
export interface ImageReader extends AsyncDisposable {
  /** How many are opened at a time. */
  readonly threads: number;
  readonly open: OpenImage;
}
