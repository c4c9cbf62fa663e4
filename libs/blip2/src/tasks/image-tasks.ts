import { defined, mustBe } from '@blip2/interfaces';

import { isEncoded, type KeptImage, type TaskImage } from '../images/encoded-image.ts';
import { isImageList, onlyResult } from '../images/image-list.ts';
import { encodeTaskImages, type ImageOptions, type ImageTools, type TaskProcessor } from '../images/task-images.ts';
import type { CallQueue } from '../lifetime/call-queue.ts';
import { distinctTexts } from '../pipeline/distinct-texts.ts';
import { type Conversation, createConversation } from './chat/conversation.ts';
import { expectTaskOptions } from './expect-task-options.ts';
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
  /** The default prompts of the model family. */
  readonly prompts: TaskPrompts;
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
   * Scores candidate answers, best first. With `['yes', 'no']`, `probability` is that of yes against no. Without a
   * question (null), the candidates are scored as captions.
   * @throws Blip2Error also `INVALID_ARGUMENT` without candidates, for an empty one, or for two with the same tokens.
   */
  rank(
    image: TaskImage<Image>,
    question: string | null,
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

/** The rows of a generation, and its options. */
type TextTask = readonly [rows: readonly ImageText[], options: TaskOptions];

/** The tasks over a processor and a pipeline. */
export function createImageTasks<Image extends KeptImage>(
  tools: ImageTools<Image>,
  prompts: TaskPrompts,
  dispose: () => Promise<void>,
  queue: CallQueue,
): ImageTasks<Image> {
  const { processor } = tools;
  // `begin` is called before the call is admitted, so that refused arguments take no place in the queue.
  const generateList = async (begin: () => TextTask): Promise<TextResult[]> => {
    const [rows, options] = begin();
    return queue.run({ isList: true, signal: options.signal }, (enter) =>
      generateTexts({ ...tools, enter }, rows, options),
    );
  };
  const stream = (begin: () => TextTask): TextStream =>
    createTextStream(processor, async (resources) => {
      const [rows, options] = begin();
      return queuedGeneration(queue, options, (enter) => startTexts({ ...tools, enter }, rows, options))(resources);
    });

  function caption(image: TaskImage<Image>, options?: CaptionOptions): TextStream;
  function caption(images: readonly TaskImage<Image>[], options?: CaptionOptions): Promise<TextResult[]>;
  function caption(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    options: CaptionOptions = {},
  ): TextStream | Promise<TextResult[]> {
    // Called later, so that refused options and prompts are rejections.
    const begin = (list: readonly TaskImage<Image>[]): TextTask => {
      expectTaskOptions('caption', options);
      const { prompt = prompts.caption, ...generation } = options;
      if (prompt !== undefined && typeof prompt !== 'string') throw mustBe('prompt', 'a text', prompt);
      return [list.map((image) => ({ image, text: prompt })), generation];
    };
    return isImageList(images) ? generateList(() => begin(images)) : stream(() => begin([images]));
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
    options: AnswerOptions = {},
  ): TextStream | Promise<TextResult[]> {
    // Called later, so that errors of options, pairing and templates are rejections.
    const begin = (): TextTask => {
      expectTaskOptions('answer', options);
      const { rawPrompt, template, ...generation } = options;
      const toPrompt = templateOf(prompts, { rawPrompt, template });
      const pairs = pairUp(
        isImageList(images) ? images : [images],
        typeof questions === 'string' ? [questions] : questions,
      );
      return [pairs.map(({ image, text }) => ({ image, text: expectPrompt(toPrompt(text)) })), generation];
    };
    return isImageList(images) || typeof questions !== 'string' ? generateList(begin) : stream(begin);
  }

  function encode(image: TaskImage<Image>, options?: ImageOptions): Promise<Image>;
  function encode(images: readonly TaskImage<Image>[], options?: ImageOptions): Promise<Image[]>;
  async function encode(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    options: ImageOptions = {},
  ): Promise<Image | Image[]> {
    expectTaskOptions('encode', options);
    const isList = isImageList(images);
    const { rows } = await queue.run({ isList, signal: options.signal }, (enter) =>
      encodeTaskImages({ ...tools, enter }, isList ? images : [images], options),
    );
    return isImageList(images) ? [...rows] : onlyResult(rows);
  }

  return {
    processor,
    prompts,
    caption,
    answer,
    encode,
    async rank(image, question, candidates, options = {}) {
      expectTaskOptions('rank', options);
      const { rawPrompt, template, ...scoring } = options;
      const answers = distinctTexts('candidates', candidates);
      const toPrompt = templateOf(prompts, { rawPrompt, template });
      const prompt =
        question === null
          ? (prompts.caption ?? '')
          : expectPrompt(toPrompt(onlyResult(pairUp([image], [question])).text));
      return queue.run({ signal: options.signal }, (enter) =>
        rankAnswers({ ...tools, enter }, image, prompt, answers, scoring),
      );
    },
    async chat(image, options = {}) {
      expectTaskOptions('chat', options);
      const { template = prompts.chat, ...generation } = options;
      if (typeof template !== 'function') throw mustBe('template', 'a function of history and question', template);
      const { autoOrient, allowUrls, interpolatePosEncoding, signal } = generation;
      const encoded = await encode(image, defined({ autoOrient, allowUrls, interpolatePosEncoding, signal }));
      return createConversation(tools, queue, encoded, { ...generation, template }, async () =>
        isEncoded(image) ? undefined : encoded[Symbol.asyncDispose](),
      );
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function expectPrompt(prompt: string): string {
  if (typeof prompt === 'string') return prompt;
  throw mustBe('template', 'a function that returns a text', prompt);
}

function templateOf(
  { question }: TaskPrompts,
  {
    rawPrompt = false,
    template = question,
  }: { readonly [Name in keyof QuestionOptions]: QuestionOptions[Name] | undefined },
): PromptTemplate {
  if (typeof template !== 'function') throw mustBe('template', 'a function of the question', template);
  return rawPrompt ? bareQuestion : template;
}
