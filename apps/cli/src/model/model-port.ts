import type {
  Conversation,
  FeaturePart,
  FeatureParts,
  LoadOptions,
  MatchScore,
  RankedAnswer,
  TextResult,
  TextStream,
} from '@blip2/blip2';
import type { GenerationOptions, RgbImage, Tensor } from '@blip2/interfaces';

import type { Resizing } from '../images/image-port.ts';
import type { ModelSource } from './model-source.ts';

/** Options of one call of a model. */
export interface CallOptions {
  /** Only the options that the user gave; the library has the defaults. */
  readonly generation: GenerationOptions;
  /** Stops between two tokens. */
  readonly signal: AbortSignal;
}
type SignalOption = Pick<CallOptions, 'signal'>;
type CaptionSettings = CallOptions & { readonly prompt?: string };
type AnswerSettings = CallOptions & { readonly rawPrompt: boolean };

/** A model that processes images, in batches. */
export interface ImageModel extends AsyncDisposable {
  /**
   * Size to which images may be resized in advance, with the same results and less memory. Absent if the image
   * processor does not resize every image to the same size.
   */
  readonly resizing?: Resizing | undefined;
}

/** An image and its questions. */
export interface ImageQuestions {
  readonly image: RgbImage;
  readonly questions: readonly string[];
}

/** An image and the texts to compare it with. */
export interface ImageTexts {
  readonly image: RgbImage;
  readonly texts: readonly string[];
}

/** A text during its generation: iterate over its pieces, or await the result. */
export type StreamedText = Pick<TextStream, 'then' | 'partial' | typeof Symbol.asyncIterator>;

/** A conversation about one image. */
export interface ChatSession extends Pick<Conversation, 'clear' | typeof Symbol.asyncDispose> {
  /** Throws `SEQUENCE_TOO_LONG` if question and history no longer fit; the question is then not part of the history. */
  ask(question: string, options: SignalOption): StreamedText;
}

export interface RankSettings extends SignalOption {
  readonly rawPrompt: boolean;
  /** Rank by the log-probability per token. */
  readonly perToken: boolean;
}

/** A generation checkpoint, as commands use it. Implemented by `loadModel`, and by a fake in tests. */
export interface TaskModel extends ImageModel {
  /** Returns one result per image. */
  caption(images: readonly RgbImage[], options: CaptionSettings): Promise<readonly TextResult[]>;
  /** Returns, per image, one result per question. Each image is encoded once. */
  ask(images: readonly ImageQuestions[], options: AnswerSettings): Promise<readonly (readonly TextResult[])[]>;
  /** Streams the caption of one image. */
  streamCaption(image: RgbImage, options: CaptionSettings): StreamedText;
  /** Streams the answer to one question. */
  streamAnswer(image: RgbImage, question: string, options: AnswerSettings): StreamedText;
  /** Returns, per image and question, all candidates, best first. Each image is encoded once. */
  rank(
    images: readonly ImageQuestions[],
    candidates: readonly string[],
    options: RankSettings,
  ): Promise<readonly (readonly (readonly RankedAnswer[])[])[]>;
  /** Starts a conversation. */
  chat(image: RgbImage, options: CallOptions): Promise<ChatSession>;
}

/** A retrieval checkpoint, as commands use it. */
export interface RetrievalModel extends ImageModel {
  /** Returns, per image, one score per text. Each image is encoded once. */
  match(items: readonly ImageTexts[], options: SignalOption): Promise<readonly (readonly MatchScore[])[]>;
}

/** A component whose features `blip2 embed` writes. */
export type { FeaturePart };
/** Features of one input, row-major. */
export type Embedding = Pick<Tensor<'float32'>, 'dims' | 'data'>;

/** A checkpoint loaded for the features of one component. */
export interface EmbeddingModel extends ImageModel {
  /** Returns one embedding per image. */
  embedImages(images: readonly RgbImage[], options: SignalOption): Promise<readonly Embedding[]>;
  /** Returns one embedding per text. */
  embedTexts(texts: readonly string[], options: SignalOption): Promise<readonly Embedding[]>;
  /** Returns, per image, one embedding per text. */
  embedPairs(items: readonly ImageTexts[], options: SignalOption): Promise<readonly (readonly Embedding[])[]>;
}

/** A vision encoder whose features are kept. */
export interface ImageEncoder extends AsyncDisposable {
  /** Digest of all that its features depend on besides the image. */
  readonly key: string;
  /** Features of images from their files. The first call loads the encoder. */
  encode(images: readonly Uint8Array[], signal?: AbortSignal): Promise<readonly Embedding[]>;
}

/** Options of loading a model. `onPlan` and `onProgress` report downloads and conversions. */
export interface LoadSettings extends Pick<
  LoadOptions,
  | 'adapters'
  | 'device'
  | 'threads'
  | 'rows'
  | 'isolate'
  | 'hosts'
  | 'repeated'
  | 'revision'
  | 'onPlan'
  | 'onProgress'
  | 'onThreads'
> {
  /** The value of `--dtype`. */
  readonly dtype?: string;
  /** A file that exports a `Blip2Module`. */
  readonly module?: string;
  /** Never use the network. */
  readonly localFilesOnly: boolean;
  readonly signal: AbortSignal;
}

/** Loads a model. A source is a folder in the Hugging Face layout or a model on the hub. */
export type Load<Model> = (source: ModelSource, settings: LoadSettings) => Promise<Model>;
export type LoadModel = Load<TaskModel>;
export type LoadEmbeddingModel = (
  source: ModelSource,
  part: FeaturePart,
  settings: LoadSettings & { readonly layer?: number },
) => Promise<EmbeddingModel>;
/** The parts of a checkpoint with features of each kind of inputs; undefined if that cannot be found out. */
export type FeaturePartsOf = (
  source: ModelSource,
  settings: Pick<LoadSettings, 'revision' | 'localFilesOnly' | 'signal'>,
) => Promise<FeatureParts | undefined>;
