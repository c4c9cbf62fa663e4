import { InstructBlipConfig } from '@blip2/config';
import type { PixelValues } from '@blip2/interfaces';
import { InstructBlipProcessor } from '@blip2/processor';

import { assembleInstructBlip } from '../models/instructblip-for-conditional-generation.ts';
import { openModelParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { fittingParts, type ProcessorSource } from '../parts/load-processor.ts';
import { preparedAhead } from '../parts/prepare-parts.ts';
import type { EncodeImagesOptions } from '../pipeline/blip2-pipeline.ts';
import {
  createInstructBlipPipeline,
  type InstructBlipParts,
  type InstructBlipPipeline,
} from '../pipeline/instructblip-pipeline.ts';
import { keepRows, type KeptImage } from './encoded-image.ts';
import { createImageTasks, type ImageTasks, type TaskPrompts } from './image-tasks.ts';
import { createInstructedBatch } from './instructed-batch.ts';
import { bareQuestion, instructChatPrompt } from './prompt-templates.ts';

/**
 * The tasks of InstructBLIP: those of BLIP-2, and the Q-Former reads each instruction too. An encoded image has been
 * through the vision encoder alone, for what the
 * Q-Former takes from it depends on the text.
 */
export interface InstructBlip extends ImageTasks {
  /** The four parts behind their seams, for tensors and ids. */
  readonly pipeline: InstructBlipPipeline;
  /** Image processor and both tokenizers. */
  readonly processor: InstructBlipProcessor;
}

/** What the tasks are made of. */
export interface InstructBlipTaskParts extends InstructBlipParts {
  /** Of the checkpoint that the language model belongs to: it says how images stand in a prompt. */
  readonly processor: InstructBlipProcessor;
}

/**
 * Instructions are given as they are; captions have the one of the paper (arXiv 2305.06500, appendix E: NoCaps and
 * Flickr30K).
 */
const PROMPTS: TaskPrompts = {
  caption: 'A short image description:',
  question: bareQuestion,
  chat: instructChatPrompt,
};

/**
 * Assembles the tasks from any implementations of the seams; they stay the caller's to dispose of one by one, or all by
 * the result.
 * @throws Blip2Error `SHAPE_MISMATCH` if neighbours do not fit.
 */
export function createInstructBlip({ processor, ...parts }: InstructBlipTaskParts): InstructBlip {
  const imageTokenIndex = processor.numQueryTokens === undefined ? undefined : processor.imageTokenId;
  const pipeline = createInstructBlipPipeline(parts, { imageTokenIndex });
  return createTasks(pipeline, processor, async () => pipeline[Symbol.asyncDispose]());
}

function createTasks(
  pipeline: InstructBlipPipeline,
  processor: InstructBlipProcessor,
  dispose: () => Promise<void>,
): InstructBlip {
  const keep = async (pixelValues: PixelValues, options: EncodeImagesOptions): Promise<KeptImage[]> => {
    const patches = await pipeline.vision.encode(pixelValues, options);
    return keepRows(createInstructedBatch(pipeline, processor.qformerTokenizer, patches), patches.dims[0]);
  };
  return { ...createImageTasks({ pipeline, processor, keep }, PROMPTS, dispose), pipeline, processor };
}

async function fromPretrained(source: string, options: LoadOptions = {}): Promise<InstructBlip> {
  const parts = await openModelParts(InstructBlipConfig.fromJson, source, options);
  try {
    const [model, processor] = await Promise.all([
      preparedAhead(assembleInstructBlip(parts), options),
      loadInstructProcessor(parts),
    ]);
    return createTasks(model.pipeline, processor, model.dispose);
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}

async function loadInstructProcessor(source: ProcessorSource): Promise<InstructBlipProcessor> {
  const processor = await InstructBlipProcessor.fromPretrained(source.folder);
  return InstructBlipProcessor.create({
    ...fittingParts(processor, source),
    qformerTokenizer: processor.qformerTokenizer,
  });
}

export const InstructBlip: {
  /**
   * Loads model and processor from a folder in the Hugging Face layout or a hub id. Weights are read when a part is
   * first used.
   * @throws Blip2Error `MISSING_WEIGHT` if any is missing; `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`,
   * `UNSUPPORTED_DEVICE` for options;
   * `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_CHECKPOINT`, `UNSUPPORTED_ARCHITECTURE` for what the source holds, and
   * `INVALID_TOKENIZER`; of a hub id also `NOT_FOUND`,
   * `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`.
   */
  readonly fromPretrained: typeof fromPretrained;
} = { fromPretrained };
