import { Blip2Error, type GenerationOptions, type ImageSource } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';
import { openCheckpointParts } from './checkpoint-parts.ts';
import { assembleConditionalGeneration } from './blip2-for-conditional-generation.ts';
import type { LoadOptions } from './load-options.ts';
import { createPipeline, type Blip2Parts, type Blip2Pipeline } from './pipeline.ts';
import { loadProcessor } from './load-processor.ts';
import { questionPrompt } from './prompt-templates.ts';
import type { TextResult } from './text-result.ts';
import { writeTexts, type ImageText } from './write-texts.ts';

export interface TaskOptions extends GenerationOptions {
  /** Turn pictures upright by their EXIF orientation. Default true. */
  readonly autoOrient?: boolean;
  /** Fetch pictures from http(s) URLs. Default false. */
  readonly allowUrls?: boolean;
}

export interface CaptionOptions extends TaskOptions {
  /** Text that the caption is to go on from, such as `a photo of`. Default none. */
  readonly prompt?: string;
}

export interface AnswerOptions extends TaskOptions {
  /** Give the question to the model as it is, without the words it was trained with. Default false. */
  readonly rawPrompt?: boolean;
}

/** The tasks of a model: pictures in, text out. */
export interface Blip2 extends AsyncDisposable {
  readonly pipeline: Blip2Pipeline;
  readonly processor: Blip2Processor;
  /** Describes a picture, or each of several in one batch. */
  caption(image: ImageSource, options?: CaptionOptions): Promise<TextResult>;
  caption(images: readonly ImageSource[], options?: CaptionOptions): Promise<TextResult[]>;
  /**
   * Answers a question about a picture; several about one picture; one about several; or the `i`-th about the `i`-th, all in one batch.
   * A picture that occurs several times is encoded once.
   */
  answer(image: ImageSource, question: string, options?: AnswerOptions): Promise<TextResult>;
  answer(images: ImageSource | readonly ImageSource[], questions: string | readonly string[], options?: AnswerOptions): Promise<TextResult[]>;
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
  const imageTokenIndex = processor.numQueryTokens === undefined ? undefined : processor.imageTokenId;
  const pipeline = createPipeline(parts, { imageTokenIndex });
  return createTasks(pipeline, processor, async () => pipeline[Symbol.asyncDispose]());
}

export function createTasks(pipeline: Blip2Pipeline, processor: Blip2Processor, dispose: () => Promise<void>): Blip2 {
  function caption(image: ImageSource, options?: CaptionOptions): Promise<TextResult>;
  function caption(images: readonly ImageSource[], options?: CaptionOptions): Promise<TextResult[]>;
  async function caption(images: ImageSource | readonly ImageSource[], { prompt, ...options }: CaptionOptions = {}): Promise<TextResult | TextResult[]> {
    const results = await writeTexts(pipeline, processor, asList(images).map((image): ImageText => ({ image, text: prompt })), options);
    return isList(images) ? results : first(results);
  }

  function answer(image: ImageSource, question: string, options?: AnswerOptions): Promise<TextResult>;
  function answer(images: ImageSource | readonly ImageSource[], questions: string | readonly string[], options?: AnswerOptions): Promise<TextResult[]>;
  async function answer(images: ImageSource | readonly ImageSource[], questions: string | readonly string[], { rawPrompt = false, ...options }: AnswerOptions = {}): Promise<TextResult | TextResult[]> {
    const pairs = pairUp(asList(images), typeof questions === 'string' ? [questions] : questions);
    const results = await writeTexts(pipeline, processor, pairs.map(({ image, text }) => ({ image, text: rawPrompt ? text : questionPrompt(text) })), options);
    return isList(images) || typeof questions !== 'string' ? results : first(results);
  }
  return { pipeline, processor, caption, answer, dispose, [Symbol.asyncDispose]: dispose };
}

/** One of each, all of one with the single other, or the lists side by side. */
function pairUp(images: readonly ImageSource[], texts: readonly string[]): { readonly image: ImageSource; readonly text: string }[] {
  const count = Math.max(images.length, texts.length);
  const fits = (length: number): boolean => length === count || length === 1;
  if (!fits(images.length) || !fits(texts.length)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'Pictures and questions do not pair up', { expected: 'one of either, or as many of both', got: `${images.length} and ${texts.length}` });
  }
  return Array.from({ length: count }, (_, index) => {
    const image = images[images.length === 1 ? 0 : index];
    const text = texts[texts.length === 1 ? 0 : index];
    if (image === undefined || !text?.trim()) throw new Blip2Error('INVALID_ARGUMENT', 'A question is empty', { where: `questions[${index}]`, fix: 'Ask something, or use caption' });
    return { image, text };
  });
}

function isList(images: ImageSource | readonly ImageSource[]): images is readonly ImageSource[] {
  return Array.isArray(images);
}

function asList(images: ImageSource | readonly ImageSource[]): readonly ImageSource[] {
  return isList(images) ? images : [images];
}

function first(results: readonly TextResult[]): TextResult {
  const [result] = results;
  if (!result) throw new Blip2Error('INVALID_ARGUMENT', 'No picture given', { where: 'images' });
  return result;
}

async function fromPretrained(source: string, options: LoadOptions = {}): Promise<Blip2> {
  const parts = await openCheckpointParts(source, options);
  try {
    const [model, processor] = await Promise.all([assembleConditionalGeneration(parts), loadProcessor(parts)]);
    return createTasks(model.pipeline, processor, model.dispose);
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}

export const Blip2: {
  /** Loads model and processor from a folder in the Hugging Face layout. Weights are read when a part is first used. */
  readonly fromPretrained: typeof fromPretrained;
} = { fromPretrained };
