import { InstructBlipConfig } from '@blip2/config';
import { defined, type PixelValues } from '@blip2/interfaces';
import { firstPositions, type TextConditionedQFormer } from '@blip2/qformer';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import type { CallQueue } from '../lifetime/call-queue.ts';
import { type CheckpointParts, openModelParts } from '../parts/checkpoint-parts.ts';
import { type EncodeImagesOptions, expectEncodeArguments } from '../pipeline/blip2-pipeline.ts';
import {
  connectInstructCheckpoint,
  expectInstruction,
  INSTRUCT_INPUTS,
  type InstructBlipPipeline,
  type Instruction,
  type InstructPromptInputs,
} from '../pipeline/instructblip-pipeline.ts';
import type { VisualPrefix } from '../pipeline/merge-prompt.ts';
import {
  assembleConditionalGeneration,
  type ConditionalGeneration,
  connectConditionalGeneration,
  type GenerationFamily,
  type GenerationParts,
} from './conditional-generation.ts';
import type { ForwardOutput } from './forward-options.ts';
import type { TargetInputs } from './forward-prompt.ts';
import { createModelLoader, type ModelLoader } from './model-loader.ts';

/** Inputs of `forward`: images, instruction, text and labels. */
export interface InstructForwardInputs extends InstructPromptInputs, TargetInputs {}

/** Output of `forward`. `qformerOutputs` cover queries and instruction; only the queries reach the language model. */
export type InstructForwardOutput = ForwardOutput;

/**
 * InstructBLIP, a BLIP-2 whose Q-Former also takes the instruction. Source: arXiv 2305.06500;
 * `InstructBlipForConditionalGeneration` of Hugging Face Transformers.
 */
export interface InstructBlipForConditionalGeneration extends ConditionalGeneration<
  InstructBlipConfig,
  TextConditionedQFormer,
  InstructBlipPipeline,
  InstructPromptInputs
> {
  /**
   * Image embeddings under an instruction for the language model, `[batch, queries, embeddingSize]`.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size; `SEQUENCE_TOO_LONG`, `INVALID_ARGUMENT` for ids
   * that the Q-Former does not accept; `DISPOSED`.
   */
  encodeImages(
    pixelValues: PixelValues,
    instruction: Instruction,
    options?: EncodeImagesOptions,
  ): Promise<VisualPrefix>;
}

type Model = ConditionalGeneration<
  InstructBlipConfig,
  TextConditionedQFormer,
  InstructBlipPipeline,
  InstructPromptInputs
>;

/** What is particular to InstructBLIP among the models with a language model. */
const FAMILY: GenerationFamily<InstructBlipConfig, TextConditionedQFormer, InstructBlipPipeline, InstructPromptInputs> =
  {
    inputNames: INSTRUCT_INPUTS,
    loadQFormer: ({ textQFormer }) => textQFormer(),
    createPipeline: connectInstructCheckpoint,
    queryRunner(inputs) {
      const { qformerInputIds: inputIds, qformerAttentionMask: attentionMask } = expectInstruction(inputs);
      return async (qformer, encoderHiddenStates, options) => {
        const outputs = await qformer.read({ inputIds, ...defined({ attentionMask }), encoderHiddenStates }, options);
        return { outputs, queries: firstPositions(outputs.lastHiddenState, qformer.numQueryTokens) };
      };
    },
  };

/** Builds the model from the parts of a checkpoint. */
export async function assembleInstructBlip(
  parts: CheckpointParts<InstructBlipConfig>,
): Promise<InstructBlipForConditionalGeneration> {
  return withEncodeImages(await assembleConditionalGeneration(parts, FAMILY), parts.queue);
}

/** Builds the model from any parts. */
export function connectInstructBlipModel(
  parts: GenerationParts<InstructBlipConfig, TextConditionedQFormer>,
): InstructBlipForConditionalGeneration {
  return withEncodeImages(connectConditionalGeneration(parts, FAMILY), parts.queue);
}

function withEncodeImages(model: Model, queue: CallQueue): InstructBlipForConditionalGeneration {
  const encodeImages = queue.wrap(model.pipeline.encodeImages, (pixelValues, _, options) =>
    expectEncodeArguments(pixelValues, options),
  );
  return { ...model, encodeImages };
}

export const InstructBlipForConditionalGeneration: ModelLoader<
  string | ModelSources,
  InstructBlipConfig,
  InstructBlipForConditionalGeneration
> = createModelLoader((source, options) => openModelParts(InstructBlipConfig, source, options), assembleInstructBlip);
