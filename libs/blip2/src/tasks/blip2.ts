import type { NewToken } from '@blip2/generate';
import type { GenerationOptions, PixelValues } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import { assembleConditionalGeneration } from '../models/blip2-for-conditional-generation.ts';
import { openCheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { loadProcessor } from '../parts/load-processor.ts';
import { preparedAhead } from '../parts/prepare-parts.ts';
import {
  type Blip2Parts,
  type Blip2Pipeline,
  createPipeline,
  type EncodeImagesOptions,
} from '../pipeline/blip2-pipeline.ts';
import { createEncodedImages, type EncodedImage } from './encoded-image.ts';
import { createImageTasks, type ImageTasks, type TaskPrompts } from './image-tasks.ts';
import { chatPrompt, type ChatTemplate, type PromptTemplate, questionPrompt } from './prompt-templates.ts';
import type { RankAnswersOptions } from './rank-answers.ts';
import type { ImageOptions } from './task-images.ts';

/**
 * What every task that writes takes: options of generation, and how images are read. Unless told, at most 32 new tokens
 * are written.
 */
export interface TaskOptions extends GenerationOptions, ImageOptions {
  /** Hears every token as it is chosen; its `row` is the place of the image or question. Not with beams. */
  readonly onToken?: (token: NewToken) => void;
}

/** How images are described. */
export interface CaptionOptions extends TaskOptions {
  /**
   * Text that the caption is to go on from, such as `a photo of`; the result does not repeat it. Default none;
   * InstructBLIP needs an instruction and has one.
   */
  readonly prompt?: string;
}

/** How a question is put to the model. */
export interface QuestionOptions {
  /** The words around the question. Default `questionPrompt`; of InstructBLIP `bareQuestion`. */
  readonly template?: PromptTemplate;
  /** Give the question to the model as it is: the same as `template: bareQuestion`. Default false. */
  readonly rawPrompt?: boolean;
}

/** How questions are answered. */
export interface AnswerOptions extends TaskOptions, QuestionOptions {}
/** How answers are ranked. */
export interface RankOptions extends RankAnswersOptions, QuestionOptions {}

/** How a conversation is held; each question may have options of its own beside these. */
export interface ChatOptions extends TaskOptions {
  /** How the conversation becomes a prompt. Default `chatPrompt`; of InstructBLIP `instructChatPrompt`. */
  readonly template?: ChatTemplate;
}

/** The tasks of BLIP-2: images in, text out. */
export interface Blip2 extends ImageTasks<EncodedImage> {
  /** The four parts behind their seams, for tensors and ids. */
  readonly pipeline: Blip2Pipeline;
  /** Image processor and tokenizer. */
  readonly processor: Blip2Processor;
}

/** What the tasks are made of. */
export interface Blip2TaskParts extends Blip2Parts {
  /** Of the checkpoint that the language model belongs to: it says how images stand in a prompt. */
  readonly processor: Blip2Processor;
}

/**
 * Assembles the tasks from any implementations of the seams; they stay the caller's to dispose of one by one, or all by
 * the result.
 * @throws Blip2Error `SHAPE_MISMATCH` if neighbours do not fit.
 */
export function createBlip2({ processor, ...parts }: Blip2TaskParts): Blip2 {
  // Features stand in the places of the processor's image tokens, or in front where it inserts none.
  const imageTokenIndex = processor.numQueryTokens === undefined ? undefined : processor.imageTokenId;
  const pipeline = createPipeline(parts, { imageTokenIndex });
  return createTasks(pipeline, processor, async () => pipeline[Symbol.asyncDispose]());
}

/** BLIP-2 was asked in these words; an image alone is described. */
const PROMPTS: TaskPrompts = { caption: undefined, question: questionPrompt, chat: chatPrompt };

function createTasks(pipeline: Blip2Pipeline, processor: Blip2Processor, dispose: () => Promise<void>): Blip2 {
  const keep = async (pixelValues: PixelValues, options: EncodeImagesOptions): Promise<EncodedImage[]> =>
    createEncodedImages(pipeline, await pipeline.encodeImages(pixelValues, options));
  return { ...createImageTasks({ pipeline, processor, keep }, PROMPTS, dispose), pipeline, processor };
}

async function fromPretrained(source: string | ModelSources, options: LoadOptions = {}): Promise<Blip2> {
  const parts = await openCheckpointParts(source, options);
  try {
    const [model, processor] = await Promise.all([
      preparedAhead(assembleConditionalGeneration(parts), options),
      loadProcessor({ folder: parts.folders.processor, config: parts.config }),
    ]);
    return createTasks(model.pipeline, processor, model.dispose);
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}

export const Blip2: {
  /**
   * Loads model and processor from a folder in the Hugging Face layout or with the names of LAVIS, a hub id, or one of
   * these for each part. Weights are read when a part is first used.
   * @throws Blip2Error `MISSING_WEIGHT` if any is missing; `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`,
   * `UNSUPPORTED_DEVICE` for options;
   * `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_CHECKPOINT`, `UNSUPPORTED_ARCHITECTURE` for what the source holds, and
   * `INVALID_TOKENIZER`; of a hub id also `NOT_FOUND`,
   * `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`.
   */
  readonly fromPretrained: typeof fromPretrained;
} = { fromPretrained };
