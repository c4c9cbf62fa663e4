import { Blip2Error, type PixelValues, type Rows, type TextConditionedQFormer } from '@blip2/interfaces';
import { asRows } from '@blip2/runtime';

import {
  type Blip2Parts,
  createPromptTasks,
  type EncodeImagesOptions,
  expectFit,
  isPixelValues,
  type PromptInputs,
  type PromptLayout,
  type PromptTasks,
  type VisualPrefix,
} from './blip2-pipeline.ts';

/** One implementation per seam, ours or anybody's; the Q-Former reads the instruction too. */
export interface InstructBlipParts extends Omit<Blip2Parts, 'qformer'> {
  /** Patches `[batch, 1 + patches, visionHidden]` and instruction → `[batch, queries, hidden]`. */
  readonly qformer: TextConditionedQFormer;
}

/** What the Q-Former reads beside the images, in ids of its own tokenizer. */
export interface Instruction {
  /**
   * `[batch, sequence]`, padded on the right: padding on the left moves the text to other positions, as in the
   * reference.
   */
  readonly qformerInputIds: Rows;
  /** `[batch, sequence]`. Default: every token counts. */
  readonly qformerAttentionMask?: Rows;
}

/** Images need an instruction; a prefix that `encodeImages` made has read it. */
export interface InstructPromptInputs extends PromptInputs, Partial<Instruction> {}

/** The four parts in a row: images and instruction to prefix, prefix and text to tokens. */
export interface InstructBlipPipeline extends InstructBlipParts, PromptTasks<InstructPromptInputs>, AsyncDisposable {
  /**
   * Images `[batch, 3, height, width]` and their instructions → `[batch, queries, embeddingSize]`. @throws Blip2Error
   * `SHAPE_MISMATCH`, `SEQUENCE_TOO_LONG`, `INVALID_ARGUMENT`.
   */
  encodeImages(
    pixelValues: PixelValues,
    instruction: Instruction,
    options?: EncodeImagesOptions,
  ): Promise<VisualPrefix>;
}

/**
 * Assembles four parts.
 * @throws Blip2Error `SHAPE_MISMATCH` if neighbours do not fit.
 */
export function createInstructBlipPipeline(parts: InstructBlipParts, layout: PromptLayout): InstructBlipPipeline {
  const { vision, qformer, projection, language } = parts;
  expectFit(parts);
  const encodeImages: InstructBlipPipeline['encodeImages'] = async (
    pixelValues,
    { qformerInputIds, qformerAttentionMask },
    options,
  ) => {
    const inputIds = asRows(qformerInputIds);
    const attentionMask = qformerAttentionMask ? asRows(qformerAttentionMask) : inputIds.map((row) => row.map(() => 1));
    return projection.project(
      await qformer.query(await vision.encode(pixelValues, options), { inputIds, attentionMask }),
    );
  };
  const prefixOf = async (
    { pixelValues, ...text }: InstructPromptInputs,
    options?: EncodeImagesOptions,
  ): Promise<VisualPrefix> =>
    isPixelValues(pixelValues) ? encodeImages(pixelValues, expectInstruction(text), options) : pixelValues;
  return {
    vision,
    qformer,
    projection,
    language,
    encodeImages,
    ...createPromptTasks(language, layout, prefixOf),
    async [Symbol.asyncDispose]() {
      for (const part of [language, projection, qformer, vision]) await part[Symbol.asyncDispose]();
    },
  };
}

/** @throws Blip2Error `INVALID_ARGUMENT` without an instruction. */
export function expectInstruction({ qformerInputIds, qformerAttentionMask }: Partial<Instruction>): Instruction {
  if (!qformerInputIds)
    throw new Blip2Error('INVALID_ARGUMENT', 'The Q-Former needs an instruction', {
      where: 'qformerInputIds',
      expected: 'rows of ids',
      got: 'nothing',
      fix: 'Give what InstructBlipProcessor makes of image and text',
    });
  return { qformerInputIds, ...(qformerAttentionMask && { qformerAttentionMask }) };
}
