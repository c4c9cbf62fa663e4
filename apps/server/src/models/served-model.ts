import type { BatchingStatus, KeptImage, MatchScore, RankedAnswer, TaskOptions, TextStream } from '@blip2/blip2';
import type { ImagePrompt } from '@blip2/blip2/messages';
import type { ImageSource, PixelValues, Tensor } from '@blip2/interfaces';
import type { Resizing } from '@blip2/processor';

import type { ModelHeatmap } from '../heatmap/model-heatmaps.ts';

/** A text that is being generated, and the size of its prompt. */
export interface StartedText {
  readonly stream: TextStream;
  /** Positions of the image and tokens of the text, special tokens included. */
  readonly promptTokens: number;
}

/** What every operation accepts. */
export interface OperationOptions {
  readonly signal: AbortSignal;
}

/** The outputs of the parts for pixel values, by name. */
export type PartOutputs = Readonly<Record<string, Tensor<'float32'>>>;

/**
 * A generation checkpoint as the routes use it, and the only interface between HTTP and the library, which batches what
 * concurrent requests have in common.
 */
export interface TextModel extends AsyncDisposable {
  readonly kind: 'text';
  /** Encodes an image once for any number of prompts; the caller disposes of it. */
  encode(image: ImageSource, options: OperationOptions): Promise<KeptImage>;
  /**
   * Starts a text. `maxNewTokens` is an upper bound: it is lowered to the positions that the model has left.
   * @throws Blip2Error when the stream is used: the codes of `caption` and `answer`.
   */
  write(image: KeptImage, prompt: ImagePrompt, options: TaskOptions & OperationOptions): StartedText;
  /** Scores candidate answers, best first; without a question, as captions. */
  rank(
    image: KeptImage,
    prompt: ImagePrompt,
    candidates: readonly string[],
    options: OperationOptions,
  ): Promise<RankedAnswer[]>;
  /** Positions of a prompt with this image. */
  promptTokens(image: KeptImage, prompt: ImagePrompt): number;
  /** The text of one token. */
  tokenText(id: number): string;
  /** What concurrent requests share. */
  readonly batching: BatchingStatus | undefined;
  readonly parts: PartRunner;
  /** The size of its images, so that they are resized as soon as they are decoded. */
  readonly resizing: Resizing | undefined;
  /**
   * Maps the contribution of each region of an image to the score of a text.
   * @throws Blip2Error `INVALID_ARGUMENT` for a subject that this kind of checkpoint cannot score.
   */
  readonly heatmap: ModelHeatmap;
}

/** A retrieval checkpoint as the routes use it. */
export interface MatchModel extends AsyncDisposable {
  readonly kind: 'match';
  /** Scores one image with each text; the image is encoded once. */
  match(image: ImageSource, texts: readonly string[], options: OperationOptions): Promise<MatchScore[]>;
  /** One vector of length 1 per image: the mean of its query vectors, `[size]`. */
  embedImages(images: readonly ImageSource[], options: OperationOptions): Promise<Float32Array[]>;
  /** One vector of length 1 per text, `[size]`. */
  embedTexts(texts: readonly string[], options: OperationOptions): Promise<Float32Array[]>;
  countTokens(text: string): number;
  readonly parts: PartRunner;
  /** The size of its images, so that they are resized as soon as they are decoded. */
  readonly resizing: Resizing | undefined;
  /**
   * Maps the contribution of each region of an image to the score of a text.
   * @throws Blip2Error `INVALID_ARGUMENT` for a subject that this kind of checkpoint cannot score.
   */
  readonly heatmap: ModelHeatmap;
}

/** Runs the parts of a model on pixel values. */
export interface PartRunner {
  /** Shape of one image, `[3, height, width]`. */
  readonly inputShape: readonly [number, number, number];
  /** Names of the outputs, in the order in which they are computed. */
  readonly outputNames: readonly string[];
  /** Pixel values `[images, 3, height, width]` → the outputs with these names, `[images, …]`. */
  run(pixelValues: PixelValues, names: readonly string[], options: OperationOptions): Promise<PartOutputs>;
}

export type ServedModel = TextModel | MatchModel;
