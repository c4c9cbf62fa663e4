import { Blip2Error } from '@blip2/interfaces';

import type { AnswerOptions, CaptionOptions, ChatOptions, QuestionOptions, RankOptions } from './blip2.ts';
import { type Conversation, createConversation } from './conversation.ts';
import { isEncoded, type KeptImage, type TaskImage } from './encoded-image.ts';
import { type ImageText, writeTexts } from './generate-texts.ts';
import { pairUp } from './pair-up.ts';
import { bareQuestion, type ChatTemplate, type PromptTemplate } from './prompt-templates.ts';
import { rankAnswers, type RankedAnswer } from './rank-answers.ts';
import { finishWriting } from './task-generation.ts';
import { encodeTaskImages, type ImageOptions, type ReadingTools, type TaskProcessor } from './task-images.ts';
import type { TextResult } from './text-result.ts';
import { createTextStream, type TextStream } from './text-stream.ts';

/**
 * The tasks of a model with a language model: images in, text out. An image may be given encoded wherever it may be
 * given as a source.
 * @throws Blip2Error each task that writes, when it is awaited or iterated: `UNKNOWN_OPTION`, `INVALID_ARGUMENT` for
 * options (what a result has no room for
 * included), for an image that was encoded for another model, and for a URL that may not be fetched; `MISSING_FILE`,
 * `INVALID_IMAGE`, `UNSUPPORTED_IMAGE`,
 * `IMAGE_TOO_LARGE`, `DOWNLOAD_FAILED` for an image; `INVALID_TOKENIZER` where the tokenizer gives ids that the model
 * does not have; `SEQUENCE_TOO_LONG` for a
 * prompt that leaves no room; `NOT_FINITE` if no token can be chosen; `DISPOSED`. An abort rejects with the signal's
 * reason.
 */
export interface ImageTasks<Image extends KeptImage = KeptImage> extends AsyncDisposable {
  /** What images and texts go through. */
  readonly processor: TaskProcessor;
  /** Describes an image, to be awaited or iterated piece by piece; or each of several in one batch. */
  caption(image: TaskImage<Image>, options?: CaptionOptions): TextStream;
  caption(images: readonly TaskImage<Image>[], options?: CaptionOptions): Promise<TextResult[]>;
  /**
   * Answers a question about an image, to be awaited or iterated piece by piece; or several about one image; one about
   * several; or the `i`-th about the
   * `i`-th, all in one batch. An image that occurs several times is encoded once. `INVALID_ARGUMENT` for other numbers
   * of images and questions, neither of which is one.
   */
  answer(image: TaskImage<Image>, question: string, options?: AnswerOptions): TextStream;
  answer(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    questions: string | readonly string[],
    options?: AnswerOptions,
  ): Promise<TextResult[]>;
  /**
   * How likely each candidate is as the answer, best first. With `['yes', 'no']`, `probability` is that of yes or no.
   * @throws Blip2Error also `INVALID_ARGUMENT` without candidates, or for an empty one.
   */
  rank(
    image: TaskImage<Image>,
    question: string,
    candidates: readonly string[],
    options?: RankOptions,
  ): Promise<RankedAnswer[]>;
  /** A conversation about an image: each answer is given with the questions and answers before it in mind. */
  chat(image: TaskImage<Image>, options?: ChatOptions): Promise<Conversation>;
  /**
   * Encodes an image once for any number of tasks; dispose of the result to give its memory back. Several are encoded,
   * and kept, together.
   */
  encode(image: TaskImage<Image>, options?: ImageOptions): Promise<Image>;
  encode(images: readonly TaskImage<Image>[], options?: ImageOptions): Promise<Image[]>;
  /** Ends all parts and gives their memory back; what is asked of them after that fails with `DISPOSED`. */
  dispose(): Promise<void>;
}

/** How a kind of model is asked where a caller does not say. */
export interface TaskPrompts {
  /** What a caption goes on from; `undefined`: nothing. */
  readonly caption: string | undefined;
  readonly question: PromptTemplate;
  readonly chat: ChatTemplate;
}

export function createImageTasks<Image extends KeptImage>(
  tools: ReadingTools<Image>,
  prompts: TaskPrompts,
  dispose: () => Promise<void>,
): ImageTasks<Image> {
  const { processor } = tools;

  function caption(image: TaskImage<Image>, options?: CaptionOptions): TextStream;
  function caption(images: readonly TaskImage<Image>[], options?: CaptionOptions): Promise<TextResult[]>;
  function caption(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    { prompt = prompts.caption, ...options }: CaptionOptions = {},
  ): TextStream | Promise<TextResult[]> {
    const rowOf = (image: TaskImage<Image>): ImageText => ({ image, text: prompt });
    if (!isList(images)) return createTextStream(processor, () => writeTexts(tools, [rowOf(images)], options));
    return finishWriting(writeTexts(tools, images.map(rowOf), options));
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
    const ask = templateOf(prompts, { rawPrompt, template });
    const rows = (): ImageText[] =>
      pairUp(isList(images) ? images : [images], typeof questions === 'string' ? [questions] : questions).map(
        ({ image, text }) => ({ image, text: ask(text) }),
      );
    if (!isList(images) && typeof questions === 'string')
      return createTextStream(processor, () => writeTexts(tools, rows(), options));
    return finishRows(() => writeTexts(tools, rows(), options));
  }

  function encode(image: TaskImage<Image>, options?: ImageOptions): Promise<Image>;
  function encode(images: readonly TaskImage<Image>[], options?: ImageOptions): Promise<Image[]>;
  async function encode(
    images: TaskImage<Image> | readonly TaskImage<Image>[],
    options: ImageOptions = {},
  ): Promise<Image | Image[]> {
    const { rows } = await encodeTaskImages(tools, isList(images) ? images : [images], options);
    return isList(images) ? [...rows] : first(rows);
  }

  return {
    processor,
    caption,
    answer,
    encode,
    async rank(image, question, candidates, { rawPrompt, template, ...options } = {}) {
      const [row] = pairUp([image], [question]);
      return rankAnswers(
        tools,
        image,
        templateOf(prompts, { rawPrompt, template })(row?.text ?? question),
        candidates,
        options,
      );
    },
    async chat(image, { template = prompts.chat, ...options } = {}) {
      const encoded = await encode(image, options);
      return createConversation(tools, encoded, options, template, async () =>
        isEncoded(image) ? undefined : encoded[Symbol.asyncDispose](),
      );
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** As a promise, whatever `open` throws. */
async function finishRows(open: () => ReturnType<typeof writeTexts>): Promise<TextResult[]> {
  return finishWriting(open());
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

function isList<Image extends KeptImage>(
  images: TaskImage<Image> | readonly TaskImage<Image>[],
): images is readonly TaskImage<Image>[] {
  return Array.isArray(images);
}

function first<T>([result]: readonly T[]): T {
  if (result === undefined) throw new Blip2Error('INVALID_ARGUMENT', 'No image given', { where: 'images' });
  return result;
}
