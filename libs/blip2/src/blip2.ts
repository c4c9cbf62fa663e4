import type { NewToken } from '@blip2/generate';
import { Blip2Error, type GenerationOptions } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';
import { openCheckpointParts } from './checkpoint-parts.ts';
import { assembleConditionalGeneration } from './blip2-for-conditional-generation.ts';
import type { LoadOptions } from './load-options.ts';
import type { ModelSources } from './model-sources.ts';
import { createPipeline, type Blip2Parts, type Blip2Pipeline } from './pipeline.ts';
import { loadProcessor } from './load-processor.ts';
import { bareQuestion, chatPrompt, questionPrompt, type ChatTemplate, type PromptTemplate } from './prompt-templates.ts';
import { createConversation, type Conversation } from './tasks/conversation.ts';
import { isEncoded, type EncodedImage, type TaskImage } from './tasks/encoded-image.ts';
import { pairUp } from './tasks/pair-up.ts';
import { rankAnswers, type RankAnswersOptions, type RankedAnswer } from './tasks/rank-answers.ts';
import { encodeTaskImages, type ImageOptions, type TaskTools } from './tasks/task-images.ts';
import { createTextStream, type TextStream } from './tasks/text-stream.ts';
import { finishWriting } from './tasks/writing.ts';
import type { TextResult } from './text-result.ts';
import { writeTexts, type ImageText } from './write-texts.ts';

export interface TaskOptions extends GenerationOptions, ImageOptions {
  /** Hears every token as it is chosen; its `row` is the place of the picture or question. Not with beams. */
  readonly onToken?: (token: NewToken) => void;
}

export interface CaptionOptions extends TaskOptions {
  /** Text that the caption is to go on from, such as `a photo of`; the result does not repeat it. Default none. */
  readonly prompt?: string;
}

/** How a question is put to the model. */
export interface QuestionOptions {
  /** The words around the question. Default `questionPrompt`. */
  readonly template?: PromptTemplate;
  /** Give the question to the model as it is: the same as `template: bareQuestion`. Default false. */
  readonly rawPrompt?: boolean;
}

export interface AnswerOptions extends TaskOptions, QuestionOptions {}
export interface RankOptions extends RankAnswersOptions, QuestionOptions {}

export interface ChatOptions extends TaskOptions {
  /** How the conversation becomes a prompt. Default `chatPrompt`. */
  readonly template?: ChatTemplate;
}

/** The tasks of a model: pictures in, text out. A picture may be given encoded wherever it may be given as a source. */
export interface Blip2 extends AsyncDisposable {
  readonly pipeline: Blip2Pipeline;
  readonly processor: Blip2Processor;
  /** Describes a picture, to be awaited or iterated piece by piece; or each of several in one batch. */
  caption(image: TaskImage, options?: CaptionOptions): TextStream;
  caption(images: readonly TaskImage[], options?: CaptionOptions): Promise<TextResult[]>;
  /**
   * Answers a question about a picture, to be awaited or iterated piece by piece; or several about one picture; one about several; or the `i`-th about the
   * `i`-th, all in one batch. A picture that occurs several times is encoded once.
   */
  answer(image: TaskImage, question: string, options?: AnswerOptions): TextStream;
  answer(images: TaskImage | readonly TaskImage[], questions: string | readonly string[], options?: AnswerOptions): Promise<TextResult[]>;
  /** How likely each candidate is as the answer, best first. With `['yes', 'no']`, `probability` is that of yes or no. */
  rank(image: TaskImage, question: string, candidates: readonly string[], options?: RankOptions): Promise<RankedAnswer[]>;
  /** A conversation about a picture: each answer is given with the questions and answers before it in mind. */
  chat(image: TaskImage, options?: ChatOptions): Promise<Conversation>;
  /** Encodes a picture once for any number of tasks; dispose of the result to give its memory back. Several are encoded, and kept, together. */
  encode(image: TaskImage, options?: ImageOptions): Promise<EncodedImage>;
  encode(images: readonly TaskImage[], options?: ImageOptions): Promise<EncodedImage[]>;
  dispose(): Promise<void>;
}

export interface Blip2TaskParts extends Blip2Parts {
  readonly processor: Blip2Processor;
}

/**
 * Assembles the tasks from any implementations of the seams; they stay the caller's to dispose of one by one, or all by the result.
 * @throws Blip2Error `SHAPE_MISMATCH` if neighbours do not fit.
 */
export function createBlip2({ processor, ...parts }: Blip2TaskParts): Blip2 {
  // Features stand in the places of the processor's image tokens, or in front where it inserts none.
  const imageTokenIndex = processor.numQueryTokens === undefined ? undefined : processor.imageTokenId;
  const pipeline = createPipeline(parts, { imageTokenIndex });
  return createTasks(pipeline, processor, async () => pipeline[Symbol.asyncDispose]());
}

export function createTasks(pipeline: Blip2Pipeline, processor: Blip2Processor, dispose: () => Promise<void>): Blip2 {
  const tools: TaskTools = { pipeline, processor };

  function caption(image: TaskImage, options?: CaptionOptions): TextStream;
  function caption(images: readonly TaskImage[], options?: CaptionOptions): Promise<TextResult[]>;
  function caption(images: TaskImage | readonly TaskImage[], { prompt, ...options }: CaptionOptions = {}): TextStream | Promise<TextResult[]> {
    const rowOf = (image: TaskImage): ImageText => ({ image, text: prompt });
    if (!isList(images)) return createTextStream(processor, () => writeTexts(tools, [rowOf(images)], options));
    return finishWriting(writeTexts(tools, images.map(rowOf), options));
  }

  function answer(image: TaskImage, question: string, options?: AnswerOptions): TextStream;
  function answer(images: TaskImage | readonly TaskImage[], questions: string | readonly string[], options?: AnswerOptions): Promise<TextResult[]>;
  function answer(images: TaskImage | readonly TaskImage[], questions: string | readonly string[], { rawPrompt, template, ...options }: AnswerOptions = {}): TextStream | Promise<TextResult[]> {
    const ask = templateOf({ rawPrompt, template });
    const rows = (): ImageText[] => pairUp(isList(images) ? images : [images], typeof questions === 'string' ? [questions] : questions).map(({ image, text }) => ({ image, text: ask(text) }));
    if (!isList(images) && typeof questions === 'string') return createTextStream(processor, () => writeTexts(tools, rows(), options));
    return finishRows(() => writeTexts(tools, rows(), options));
  }

  function encode(image: TaskImage, options?: ImageOptions): Promise<EncodedImage>;
  function encode(images: readonly TaskImage[], options?: ImageOptions): Promise<EncodedImage[]>;
  async function encode(images: TaskImage | readonly TaskImage[], options: ImageOptions = {}): Promise<EncodedImage | EncodedImage[]> {
    const { rows } = await encodeTaskImages(tools, isList(images) ? images : [images], options);
    return isList(images) ? [...rows] : first(rows);
  }

  return {
    pipeline, processor, caption, answer, encode,
    async rank(image, question, candidates, { rawPrompt, template, ...options } = {}) {
      const [row] = pairUp([image], [question]);
      return rankAnswers(tools, image, templateOf({ rawPrompt, template })(row?.text ?? question), candidates, options);
    },
    async chat(image, { template = chatPrompt, ...options } = {}) {
      const encoded = await encode(image, options);
      return createConversation(tools, encoded, options, template, async () => (isEncoded(image) ? undefined : encoded[Symbol.asyncDispose]()));
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** As a promise, whatever `open` throws. */
async function finishRows(open: () => ReturnType<typeof writeTexts>): Promise<TextResult[]> {
  return finishWriting(open());
}

function templateOf({ rawPrompt = false, template = questionPrompt }: { readonly [Name in keyof QuestionOptions]: QuestionOptions[Name] | undefined }): PromptTemplate {
  return rawPrompt ? bareQuestion : template;
}

function isList(images: TaskImage | readonly TaskImage[]): images is readonly TaskImage[] {
  return Array.isArray(images);
}

function first<T>([result]: readonly T[]): T {
  if (result === undefined) throw new Blip2Error('INVALID_ARGUMENT', 'No picture given', { where: 'images' });
  return result;
}

async function fromPretrained(source: string | ModelSources, options: LoadOptions = {}): Promise<Blip2> {
  const parts = await openCheckpointParts(source, options);
  try {
    const [model, processor] = await Promise.all([assembleConditionalGeneration(parts), loadProcessor({ folder: parts.folders.processor, config: parts.config })]);
    return createTasks(model.pipeline, processor, model.dispose);
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}

export const Blip2: {
  /** Loads model and processor from a folder in the Hugging Face layout or with the names of LAVIS, or from one for each part. Weights are read when a part is first used. @throws Blip2Error `MISSING_WEIGHT` if any is missing. */
  readonly fromPretrained: typeof fromPretrained;
} = { fromPretrained };
