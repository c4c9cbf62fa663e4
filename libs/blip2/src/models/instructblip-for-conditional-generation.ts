import { InstructBlipConfig } from '@blip2/config';
import type { GenerateOutput, GenerationContext, SequenceLogProbs, SequenceLogProbsOptions } from '@blip2/generate';
import type { GenerationOptions, PixelValues, TokenIds } from '@blip2/interfaces';
import {
  firstPositions,
  type LanguageProjection,
  type QFormerOutput,
  type QueryTokens,
  type TextConditionedQFormer,
} from '@blip2/qformer';
import type { Blip2VisionModel, VisionOutput } from '@blip2/vision';

import { modelTensors } from '../checkpoint/model-tensors.ts';
import { saveModel, type SaveModelOptions } from '../checkpoint/save-model.ts';
import { expectComplete } from '../checkpoint/whole-weights.ts';
import { type CheckpointParts, openModelParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import type { CheckpointLanguageModel } from '../parts/part-loaders.ts';
import { openRandomParts, type RandomOptions } from '../parts/random-parts.ts';
import { type EncodeImagesOptions, isPixelValues, type VisualPrefix } from '../pipeline/blip2-pipeline.ts';
import {
  createInstructBlipPipeline,
  expectInstruction,
  type InstructBlipPipeline,
  type Instruction,
  type InstructPromptInputs,
} from '../pipeline/instructblip-pipeline.ts';
import { mergePrompt } from '../pipeline/merge-prompt.ts';
import type { ForwardOptions } from './blip2-for-conditional-generation.ts';
import { expectDecoderInputs, forwardPrompt, type PromptOutput, type TargetInputs } from './forward-prompt.ts';
import { type TextGenerator, withGenerate } from './with-generate.ts';

/** What `forward` takes: images, instruction, text, and what it is judged by. */
export interface InstructForwardInputs extends InstructPromptInputs, TargetInputs {}

/** What each part says on the way from images to scores. */
export interface InstructForwardOutput extends PromptOutput {
  /** Absent where a visual prefix took the place of images; so is `qformerOutputs`. */
  readonly visionOutputs?: VisionOutput;
  /** Of queries and instruction; the queries alone go on. */
  readonly qformerOutputs?: QFormerOutput;
}

/**
 * BLIP-2 that follows instructions (arXiv 2305.06500; `InstructBlipForConditionalGeneration` of the reference): its
 * Q-Former reads the instruction beside the image.
 */
export interface InstructBlipForConditionalGeneration extends AsyncDisposable {
  /** As it was read, defaults filled in. */
  readonly config: InstructBlipConfig;
  /** Pixels `[batch, 3, height, width]` → `[batch, 1 + patches, visionHidden]`. */
  readonly visionModel: Blip2VisionModel;
  /** Patches and instruction → `[batch, queries, hidden]`. */
  readonly qformer: TextConditionedQFormer;
  /** `[batch, queries, hidden]` → `[batch, queries, embeddingSize]`. */
  readonly languageProjection: LanguageProjection;
  /** Told apart by `architecture`; `forward` and `generate` of its own are about text alone. */
  readonly languageModel: TextGenerator<CheckpointLanguageModel>;
  /** `[1, queries, hidden]`. */
  readonly queryTokens: QueryTokens;
  /** The same four parts behind their seams. */
  readonly pipeline: InstructBlipPipeline;
  /**
   * Scores every position of a prompt, or of a seq2seq model's decoder.
   * @throws Blip2Error `INVALID_ARGUMENT` without an instruction, if a seq2seq model has neither labels nor decoder
   * ids, or a causal one has decoder ids;
   * `SHAPE_MISMATCH` for images of another size, or if image tokens and features are not as many; `SEQUENCE_TOO_LONG`
   * for an instruction or a prompt; `DISPOSED`.
   */
  forward(inputs: InstructForwardInputs, options?: ForwardOptions): Promise<InstructForwardOutput>;
  /**
   * Writes new tokens after a prompt; `sequences` holds those alone.
   * @throws Blip2Error `UNKNOWN_OPTION`, `INVALID_ARGUMENT`, `SEQUENCE_TOO_LONG`, `NOT_FINITE` as `generate` of
   * `@blip2/generate`; as `forward` for the prompt.
   */
  generate(
    inputs: InstructPromptInputs,
    options?: GenerationOptions,
    context?: GenerationContext,
  ): Promise<GenerateOutput>;
  /**
   * Natural logarithms of the probabilities of given sequences after a prompt (teacher forcing): one list per prompt,
   * one entry per candidate.
   * @throws Blip2Error `INVALID_ARGUMENT` for ids beyond the vocabulary; as `forward` for the prompt.
   */
  scoreSequences(
    inputs: InstructPromptInputs,
    candidates: readonly TokenIds[],
    options?: SequenceLogProbsOptions & EncodeImagesOptions,
  ): Promise<SequenceLogProbs[][]>;
  /**
   * What the language model reads of the images under an instruction, `[batch, queries, embeddingSize]`.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size; `SEQUENCE_TOO_LONG`, `INVALID_ARGUMENT` for ids
   * that the Q-Former cannot read; `DISPOSED`.
   */
  encodeImages(
    pixelValues: PixelValues,
    instruction: Instruction,
    options?: EncodeImagesOptions,
  ): Promise<VisualPrefix>;
  /**
   * Writes configuration, both tokenizers and weights in the hub layout, so that the reference loads them. @throws
   * Blip2Error `INVALID_ARGUMENT`, `WRITE_FAILED`.
   */
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  /** Ends all parts and gives their memory back; what is asked of them after that fails with `DISPOSED`. */
  dispose(): Promise<void>;
}

/** Puts the model together from the parts of one checkpoint, which are disposed of if that fails. */
export async function assembleInstructBlip(
  parts: CheckpointParts<InstructBlipConfig>,
): Promise<InstructBlipForConditionalGeneration> {
  try {
    return await assemble(parts);
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}

async function assemble(parts: CheckpointParts<InstructBlipConfig>): Promise<InstructBlipForConditionalGeneration> {
  const { config, folder, folders } = parts;
  parts.startLanguage();
  await expectComplete(folders, modelTensors(config));
  const visionModel = await parts.vision();
  const qformer = await parts.textQFormer();
  const languageProjection = await parts.projection();
  const languageModel = withGenerate(await parts.language());
  const pipeline = createInstructBlipPipeline(
    { vision: visionModel, qformer, projection: languageProjection, language: languageModel },
    config,
  );
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  return {
    config,
    visionModel,
    qformer,
    languageProjection,
    languageModel,
    pipeline,
    queryTokens: qformer.queryTokens,
    forward: (inputs, options) =>
      forward(config, { visionModel, qformer, languageProjection, languageModel }, inputs, options),
    generate: pipeline.generate,
    scoreSequences: pipeline.scoreSequences,
    encodeImages: pipeline.encodeImages,
    savePretrained: (target, options) => saveModel(folder, config, target, options),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

type ForwardParts = Pick<
  InstructBlipForConditionalGeneration,
  'visionModel' | 'qformer' | 'languageProjection' | 'languageModel'
>;

async function forward(
  config: InstructBlipConfig,
  parts: ForwardParts,
  inputs: InstructForwardInputs,
  options: ForwardOptions = {},
): Promise<InstructForwardOutput> {
  const outputs = {
    outputHiddenStates: options.outputHiddenStates ?? config.outputHiddenStates,
    outputAttentions: options.outputAttentions ?? config.outputAttentions,
  };
  expectDecoderInputs(parts.languageModel, inputs);
  // The cache that is asked for is the language model's: the Q-Former has one of its own.
  const image = await readImage(parts, inputs, { ...options, ...outputs, useCache: false });
  const prompt = await mergePrompt({
    prefix: image.prefix,
    text: inputs,
    layout: config,
    language: parts.languageModel,
  });
  return {
    ...(await forwardPrompt(parts.languageModel, prompt, inputs, { ...outputs, useCache: options.useCache ?? false })),
    ...(image.visionOutputs && { visionOutputs: image.visionOutputs }),
    ...(image.qformerOutputs && { qformerOutputs: image.qformerOutputs }),
  };
}

interface ReadImage extends Pick<InstructForwardOutput, 'visionOutputs' | 'qformerOutputs'> {
  readonly prefix: VisualPrefix;
}

/** The prefix of the images, with what the parts say on the way to it. */
async function readImage(
  { visionModel, qformer, languageProjection }: ForwardParts,
  { pixelValues, ...text }: InstructForwardInputs,
  options: ForwardOptions,
): Promise<ReadImage> {
  if (!isPixelValues(pixelValues)) return { prefix: pixelValues };
  const { qformerInputIds: inputIds, qformerAttentionMask: attentionMask } = expectInstruction(text);
  const visionOutputs = await visionModel.forward({ pixelValues }, options);
  const qformerOutputs = await qformer.read(
    { inputIds, ...(attentionMask && { attentionMask }), encoderHiddenStates: visionOutputs.lastHiddenState },
    options,
  );
  return {
    prefix: await languageProjection.project(firstPositions(qformerOutputs.lastHiddenState, qformer.numQueryTokens)),
    visionOutputs,
    qformerOutputs,
  };
}

async function fromPretrained(
  source: string,
  options: LoadOptions = {},
): Promise<InstructBlipForConditionalGeneration> {
  return assembleInstructBlip(await openModelParts(InstructBlipConfig.fromJson, source, options));
}

async function fromConfig(
  config: InstructBlipConfig,
  options: RandomOptions & LoadOptions = {},
): Promise<InstructBlipForConditionalGeneration> {
  return assembleInstructBlip(await openRandomParts(config, options));
}

export const InstructBlipForConditionalGeneration: {
  /** Loads a folder in the Hugging Face layout. Weights are read when a part is first used. */
  readonly fromPretrained: typeof fromPretrained;
  /** A model with random weights, in a temporary file that goes away with it. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
