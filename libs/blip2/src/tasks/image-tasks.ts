import { isEncoded, type KeptImage, type TaskImage } from '../images/encoded-image.ts';
import { isImageList, onlyResult } from '../images/image-list.ts';
import { encodeTaskImages, type ImageOptions, type ImageTools, type TaskProcessor } from '../images/task-images.ts';
import type { CallQueue } from '../lifetime/call-queue.ts';
import { type Conversation, createConversation } from './conversation.ts';
import { generateTexts, type ImageText, startTexts } from './generate-texts.ts';
import { pairUp } from './pair-up.ts';
import { bareQuestion, type ChatTemplate, type PromptTemplate } from './prompt-templates.ts';
import { queuedGeneration } from './queued-generation.ts';
import { rankAnswers, type RankedAnswer } from './rank-answers.ts';
import type {
  AnswerOptions,
  CaptionOptions,
  ChatOptions,
  QuestionOptions,
  RankOptions,
  TaskOptions,
} from './task-options.ts';
import type { TextResult } from './text-result.ts';
import { createTextStream, type TextStream } from './text-stream.ts';

/**
 * The tasks of a model with a language model: images in, text out. Every task accepts an encoded image in place of a
 * source. An abort rejects with the reason of the signal. A `TextStream` rejects when it is awaited or iterated.
 * @throws Blip2Error `UNKNOWN_OPTION`, `INVALID_ARGUMENT` for options (also those that a result of a task cannot hold),
 * for an image that was encoded with another model, and for a URL without `allowUrls`.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_IMAGE`, `UNSUPPORTED_IMAGE`, `IMAGE_TOO_LARGE`, `DOWNLOAD_FAILED` for an
 * image.
 * @throws Blip2Error `INVALID_TOKENIZER` if the tokenizer yields ids that the model does not have.
 * @throws Blip2Error `SEQUENCE_TOO_LONG` for a prompt that leaves no room for a token.
 * @throws Blip2Error `NOT_FINITE` if a part returns NaN or infinity, or no token can be sampled; `DISPOSED`.
 */
export interface ImageTasks<Image extends KeptImage = KeptImage> extends AsyncDisposable {
  /** Image processor and tokenizer. */
  readonly processor: TaskProcessor;
  /** Describes an image: await the stream or iterate its pieces. A list of images is described in one batch. */
  caption(image: TaskImage<Image>, options?: CaptionOptions): TextStream;
  caption(images: readonly TaskImage<Image>[], options?: CaptionOptions): Promise<TextResult[]>;
  /**
   * Answers a question about an image: await the stream or iterate its pieces. With lists, several questions about one
   * image, one question about several images, or the `i`-th question about the `i`-th image, all in one batch. An image
   * that occurs several times is encoded once.
   * @throws Blip2Error also `INVALID_ARGUMENT` for lists of different lengths, neither of which is 1.
   */
  answer(image: TaskImage<Image>, question: string, options?: AnswerOptions): TextStream;
  answer(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    questions: string | readonly string[],
    options?: AnswerOptions,
  ): Promise<TextResult[]>;
  /**
   * Scores candidate answers, best first. With `['yes', 'no']`, `probability` is that of yes against no.
   * @throws Blip2Error also `INVALID_ARGUMENT` without candidates, or for an empty one.
   */
  rank(
    image: TaskImage<Image>,
    question: string,
    candidates: readonly string[],
    options?: RankOptions,
  ): Promise<RankedAnswer[]>;
  /** Opens a conversation about an image: each prompt includes the questions and answers before it. */
  chat(image: TaskImage<Image>, options?: ChatOptions): Promise<Conversation>;
  /**
   * Encodes an image once for any number of tasks; dispose of the result to free its memory. A list is encoded and kept
   * as one batch.
   */
  encode(image: TaskImage<Image>, options?: ImageOptions): Promise<Image>;
  encode(images: readonly TaskImage<Image>[], options?: ImageOptions): Promise<Image[]>;
  /** Disposes of all parts; later calls fail with `DISPOSED`. */
  dispose(): Promise<void>;
}

/** The default prompts of a model family. */
export interface TaskPrompts {
  /** What a caption continues; `undefined`: nothing. */
  readonly caption: string | undefined;
  readonly question: PromptTemplate;
  readonly chat: ChatTemplate;
}

/** The tasks over a processor and a pipeline. */
export function createImageTasks<Image extends KeptImage>(
  tools: ImageTools<Image>,
  prompts: TaskPrompts,
  dispose: () => Promise<void>,
  queue: CallQueue,
): ImageTasks<Image> {
  const { processor } = tools;
  const generateList = (rows: () => ImageText[], options: TaskOptions): Promise<TextResult[]> =>
    queue.run({ isList: true, signal: options.signal }, async (enter) =>
      generateTexts({ ...tools, enter }, rows(), options),
    );
  const stream = (rows: () => ImageText[], options: TaskOptions): TextStream =>
    createTextStream(
      processor,
      queuedGeneration(
        queue,
        options,
        (enter) => async (resources) => startTexts({ ...tools, enter }, rows(), options)(resources),
      ),
    );

  function caption(image: TaskImage<Image>, options?: CaptionOptions): TextStream;
  function caption(images: readonly TaskImage<Image>[], options?: CaptionOptions): Promise<TextResult[]>;
  function caption(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    { prompt = prompts.caption, ...options }: CaptionOptions = {},
  ): TextStream | Promise<TextResult[]> {
    const rowOf = (image: TaskImage<Image>): ImageText => ({ image, text: prompt });
    return isImageList(images)
      ? generateList(() => images.map(rowOf), options)
      : stream(() => [rowOf(images)], options);
  }

  function answer(image: TaskImage<Image>, question: string, options?: AnswerOptions): TextStream;
  function answer(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    questions: string | readonly string[],
    options?: AnswerOptions,
  ): Promise<TextResult[]>;
  function answer(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    questions: string | readonly string[],
    { rawPrompt, template, ...options }: AnswerOptions = {},
  ): TextStream | Promise<TextResult[]> {
    const toPrompt = templateOf(prompts, { rawPrompt, template });
    // Called later, so that errors of pairing and of templates are rejections.
    const rows = (): ImageText[] =>
      pairUp(isImageList(images) ? images : [images], typeof questions === 'string' ? [questions] : questions).map(
        ({ image, text }) => ({ image, text: toPrompt(text) }),
      );
    return isImageList(images) || typeof questions !== 'string' ? generateList(rows, options) : stream(rows, options);
  }

  function encode(image: TaskImage<Image>, options?: ImageOptions): Promise<Image>;
  function encode(images: readonly TaskImage<Image>[], options?: ImageOptions): Promise<Image[]>;
  async function encode(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    options: ImageOptions = {},
  ): Promise<Image | Image[]> {
    const isList = isImageList(images);
    const { rows } = await queue.run({ isList, signal: options.signal }, (enter) =>
      encodeTaskImages({ ...tools, enter }, isList ? images : [images], options),
    );
    return isImageList(images) ? [...rows] : onlyResult(rows);
  }

  return {
    processor,
    caption,
    answer,
    encode,
    async rank(image, question, candidates, { rawPrompt, template, ...options } = {}) {
      const { text } = onlyResult(pairUp([image], [question]));
      const prompt = templateOf(prompts, { rawPrompt, template })(text);
      return queue.run({ signal: options.signal }, (enter) =>
        rankAnswers({ ...tools, enter }, image, prompt, candidates, options),
      );
    },
    async chat(image, { template = prompts.chat, ...options } = {}) {
      const encoded = await encode(image, options);
      return createConversation(tools, queue, encoded, { ...options, template }, async () =>
        isEncoded(image) ? undefined : encoded[Symbol.asyncDispose](),
      );
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function templateOf(
  { question }: TaskPrompts,
  {
    rawPrompt = false,
    template = question,
  }: { readonly [Name in keyof QuestionOptions]: QuestionOptions[Name] | undefined },
): PromptTemplate {
  return rawPrompt ? bareQuestion : template;
}
