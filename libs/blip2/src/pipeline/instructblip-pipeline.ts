import {
  defined,
  expectInputs,
  mustBe,
  type PixelValues,
  type Rows,
  type TextConditionedQFormer,
} from '@blip2/interfaces';
import { asRows } from '@blip2/runtime';

import {
  type Blip2Parts,
  connectParts,
  connectQueries,
  type EncodeImagesOptions,
  isPixelValues,
  type PromptInputs,
  type PromptTasks,
} from './blip2-pipeline.ts';
import { expectFit, expectImagePartsFit } from './expect-fit.ts';
import { PROMPT_INPUTS } from './image-inputs.ts';
import type { PromptLayout, VisualPrefix } from './merge-prompt.ts';

const INSTRUCTION_INPUTS: readonly string[] = ['qformerInputIds', 'qformerAttentionMask'];
/** Names of the inputs of a prompt with images and an instruction. */
export const INSTRUCT_INPUTS: readonly string[] = [...PROMPT_INPUTS, ...INSTRUCTION_INPUTS];

/** The four parts: one implementation per interface, built-in or custom. The Q-Former also takes the instruction. */
export interface InstructBlipParts extends Omit<Blip2Parts, 'qformer'> {
  /** Patches `[batch, 1 + patches, visionHidden]` and instruction → `[batch, queries, hidden]`. */
  readonly qformer: TextConditionedQFormer;
}

/** Text input of the Q-Former, as ids of its own tokenizer. */
export interface Instruction {
  /**
   * `[batch, sequence]`, padded on the right. Padding on the left shifts the positions of the text, as in Hugging Face
   * Transformers.
   */
  readonly qformerInputIds: Rows;
  /** `[batch, sequence]`. Default: all ones. */
  readonly qformerAttentionMask?: Rows;
}

/** A prompt with images. Images need an instruction; a prefix from `encodeImages` already depends on one. */
export interface InstructPromptInputs extends PromptInputs, Partial<Instruction> {}

/** The four parts connected: images and instruction to prefix, prefix and text to tokens. */
export interface InstructBlipPipeline extends InstructBlipParts, PromptTasks<InstructPromptInputs>, AsyncDisposable {
  /**
   * Images `[batch, 3, height, width]` and their instructions → `[batch, queries, embeddingSize]`.
   * @throws Blip2Error `SHAPE_MISMATCH`, `SEQUENCE_TOO_LONG`, `INVALID_ARGUMENT`, `NOT_FINITE`.
   */
  encodeImages(
    pixelValues: PixelValues,
    instruction: Instruction,
    options?: EncodeImagesOptions,
  ): Promise<VisualPrefix>;
}

/**
 * Connects four parts.
 * @throws Blip2Error `SHAPE_MISMATCH` if the widths of adjacent parts differ.
 */
export function createInstructBlipPipeline(parts: InstructBlipParts, layout: PromptLayout): InstructBlipPipeline {
  expectFit(parts);
  return connectInstructBlip(parts, layout);
}

/**
 * Connects the parts of a checkpoint, as `connectCheckpoint` does.
 * @throws Blip2Error `SHAPE_MISMATCH` if the widths of adjacent parts before the language model differ.
 */
export function connectInstructCheckpoint(parts: InstructBlipParts, layout: PromptLayout): InstructBlipPipeline {
  expectImagePartsFit(parts);
  return connectInstructBlip(parts, layout);
}

function connectInstructBlip(parts: InstructBlipParts, layout: PromptLayout): InstructBlipPipeline {
  const { qformer } = parts;
  const encodeImages: InstructBlipPipeline['encodeImages'] = async (pixelValues, instruction, options) => {
    // Accepts the whole output of the processor.
    expectInputs('encodeImages', instruction, [...INSTRUCTION_INPUTS, ...PROMPT_INPUTS]);
    const { qformerInputIds, qformerAttentionMask } = expectInstruction(instruction);
    const inputIds = asRows(qformerInputIds, 'qformerInputIds');
    const attentionMask = qformerAttentionMask
      ? asRows(qformerAttentionMask, 'qformerAttentionMask')
      : inputIds.map((row) => row.map(() => 1));
    return connectQueries(parts, pixelValues, options, (patches) =>
      qformer.query(patches, { inputIds, attentionMask }),
    );
  };
  const prefixOf = async (
    { pixelValues, ...text }: InstructPromptInputs,
    options?: EncodeImagesOptions,
  ): Promise<VisualPrefix> =>
    isPixelValues(pixelValues) ? encodeImages(pixelValues, expectInstruction(text), options) : pixelValues;
  return { ...connectParts(parts, layout, prefixOf, INSTRUCT_INPUTS), encodeImages };
}

/**
 * The instruction of a prompt with images.
 * @throws Blip2Error `INVALID_ARGUMENT` if there is none.
 */
export function expectInstruction({ qformerInputIds, qformerAttentionMask }: Partial<Instruction>): Instruction {
  if (!qformerInputIds)
    throw mustBe('qformerInputIds', 'rows of ids', qformerInputIds, {
      fix: 'Pass the output of InstructBlipProcessor for image and text',
    });
  return { qformerInputIds, ...defined({ qformerAttentionMask }) };
}
