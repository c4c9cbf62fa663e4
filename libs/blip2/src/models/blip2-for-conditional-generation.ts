import type { Blip2Config } from '@blip2/config';
import type { PixelValues } from '@blip2/interfaces';
import type { Blip2QFormerModel } from '@blip2/qformer';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import type { CallQueue } from '../lifetime/call-queue.ts';
import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import {
  type Blip2Pipeline,
  connectCheckpoint,
  type EncodeImagesOptions,
  expectEncodeArguments,
  type PromptInputs,
} from '../pipeline/blip2-pipeline.ts';
import { PROMPT_INPUTS } from '../pipeline/image-inputs.ts';
import type { VisualPrefix } from '../pipeline/merge-prompt.ts';
import {
  assembleConditionalGeneration,
  type ConditionalGeneration,
  connectConditionalGeneration,
  type GenerationFamily,
  type GenerationParts,
} from './conditional-generation.ts';
import type { TargetInputs } from './forward-prompt.ts';
import { createModelLoader, type ModelLoader } from './model-loader.ts';

/** Inputs of `forward`: images, text and labels. */
export interface ForwardInputs extends PromptInputs, TargetInputs {}

/**
 * The whole model, for tensors and ids. Source: `Blip2ForConditionalGeneration` of Hugging Face Transformers; arXiv
 * 2301.12597.
 */
export interface Blip2ForConditionalGeneration extends ConditionalGeneration<
  Blip2Config,
  Blip2QFormerModel,
  Blip2Pipeline,
  PromptInputs
> {
  /**
   * Image embeddings for the language model, `[batch, queries, embeddingSize]`, reusable for any number of questions.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size; `DISPOSED`.
   */
  encodeImages(pixelValues: PixelValues, options?: EncodeImagesOptions): Promise<VisualPrefix>;
}

type Model = ConditionalGeneration<Blip2Config, Blip2QFormerModel, Blip2Pipeline, PromptInputs>;

/** What is particular to BLIP-2 among the models with a language model. */
const FAMILY: GenerationFamily<Blip2Config, Blip2QFormerModel, Blip2Pipeline, PromptInputs> = {
  inputNames: PROMPT_INPUTS,
  loadQFormer: ({ qformer }) => qformer(),
  createPipeline: connectCheckpoint,
  queryRunner: () => async (qformer, encoderHiddenStates, options) => {
    const outputs = await qformer.forward({ encoderHiddenStates }, options);
    return { outputs, queries: outputs.lastHiddenState };
  },
};

/** Builds the model from the parts of a checkpoint. */
export async function assembleBlip2(parts: CheckpointParts): Promise<Blip2ForConditionalGeneration> {
  return withEncodeImages(await assembleConditionalGeneration(parts, FAMILY), parts.queue);
}

/** Builds the model from any parts. */
export function connectBlip2Model(
  parts: GenerationParts<Blip2Config, Blip2QFormerModel>,
): Blip2ForConditionalGeneration {
  return withEncodeImages(connectConditionalGeneration(parts, FAMILY), parts.queue);
}

function withEncodeImages(model: Model, queue: CallQueue): Blip2ForConditionalGeneration {
  return { ...model, encodeImages: queue.wrap(model.pipeline.encodeImages, expectEncodeArguments) };
}

export const Blip2ForConditionalGeneration: ModelLoader<
  string | ModelSources,
  Blip2Config,
  Blip2ForConditionalGeneration
> = createModelLoader(openCheckpointParts, assembleBlip2);
