import type { Blip2Config } from '@blip2/config';
import type { GenerateOutput, GenerationContext, SequenceLogProbs, SequenceLogProbsOptions } from '@blip2/generate';
import type { GenerationOptions, PixelValues, TokenIds } from '@blip2/interfaces';
import type { Blip2QFormerModel, LanguageProjection, QFormerOutput, QueryTokens } from '@blip2/qformer';
import type { Blip2VisionModel, VisionOutput } from '@blip2/vision';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import { modelTensors } from '../checkpoint/model-tensors.ts';
import { saveModel, type SaveModelOptions } from '../checkpoint/save-model.ts';
import { expectComplete } from '../checkpoint/whole-weights.ts';
import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import type { CheckpointLanguageModel } from '../parts/part-loaders.ts';
import { openRandomParts, type RandomOptions } from '../parts/random-parts.ts';
import {
  type Blip2Pipeline,
  createPipeline,
  type EncodeImagesOptions,
  isPixelValues,
  type PromptInputs,
  type VisualPrefix,
} from '../pipeline/blip2-pipeline.ts';
import { mergePrompt } from '../pipeline/merge-prompt.ts';
import { expectDecoderInputs, forwardPrompt, type PromptOutput, type TargetInputs } from './forward-prompt.ts';
import { type TextGenerator, withGenerate } from './with-generate.ts';

/** What `forward` takes: images, text, and what it is judged by. */
export interface ForwardInputs extends PromptInputs, TargetInputs {}

/** What `forward` gives beside scores. Defaults of the first two: the configuration. */
export interface ForwardOptions {
  /** States of every layer of the parts that run. */
  readonly outputHiddenStates?: boolean;
  /** Attention maps of every layer of the parts that run. */
  readonly outputAttentions?: boolean;
  /** Accept images of another size than the encoder's. Default false. */
  readonly interpolatePosEncoding?: boolean;
  /** Give the language model's keys and values, `languageModelOutputs.pastKeyValues`. Default false. */
  readonly useCache?: boolean;
}

/** What each part says on the way from images to scores. */
export interface ForwardOutput extends PromptOutput {
  /** Absent where a visual prefix took the place of images; so is `qformerOutputs`. */
  readonly visionOutputs?: VisionOutput;
  /** Of the queries, `lastHiddenState` `[batch, queries, hidden]`. */
  readonly qformerOutputs?: QFormerOutput;
}

/** Everything that a whole model offers beside the tasks (`Blip2ForConditionalGeneration` of the reference). */
export interface Blip2ForConditionalGeneration extends AsyncDisposable {
  /** As it was read, defaults filled in. */
  readonly config: Blip2Config;
  /** Pixels `[batch, 3, height, width]` → `[batch, 1 + patches, visionHidden]`. */
  readonly visionModel: Blip2VisionModel;
  /** Patches → `[batch, queries, hidden]`. */
  readonly qformer: Blip2QFormerModel;
  /** `[batch, queries, hidden]` → `[batch, queries, embeddingSize]`. */
  readonly languageProjection: LanguageProjection;
  /** Told apart by `architecture`; `forward` and `generate` of its own are about text alone. */
  readonly languageModel: TextGenerator<CheckpointLanguageModel>;
  /** `[1, queries, hidden]`. */
  readonly queryTokens: QueryTokens;
  /** The same four parts behind their seams. */
  readonly pipeline: Blip2Pipeline;
  /**
   * Scores every position of a prompt, or of a seq2seq model's decoder.
   * @throws Blip2Error `INVALID_ARGUMENT` if a seq2seq model has neither labels nor decoder ids, or a causal one has
   * decoder ids, or
   * for ids and embeddings both; `SHAPE_MISMATCH` for images of another size, or if image tokens and features are not
   * as many; `SEQUENCE_TOO_LONG`; `DISPOSED`.
   */
  forward(inputs: ForwardInputs, options?: ForwardOptions): Promise<ForwardOutput>;
  /**
   * Writes new tokens after a prompt; `sequences` holds those alone.
   * @throws Blip2Error `UNKNOWN_OPTION`, `INVALID_ARGUMENT`, `SEQUENCE_TOO_LONG`, `NOT_FINITE` as `generate` of
   * `@blip2/generate`; `SHAPE_MISMATCH` as `forward`; `DISPOSED`.
   */
  generate(inputs: PromptInputs, options?: GenerationOptions, context?: GenerationContext): Promise<GenerateOutput>;
  /**
   * Natural logarithms of the probabilities of given sequences after a prompt (teacher forcing): one list per prompt,
   * one entry per candidate.
   * @throws Blip2Error `INVALID_ARGUMENT` for ids beyond the vocabulary; `SHAPE_MISMATCH` as `forward`;
   * `SEQUENCE_TOO_LONG`; `DISPOSED`.
   */
  scoreSequences(
    inputs: PromptInputs,
    candidates: readonly TokenIds[],
    options?: SequenceLogProbsOptions & EncodeImagesOptions,
  ): Promise<SequenceLogProbs[][]>;
  /**
   * What the language model reads of the images, `[batch, queries, embeddingSize]`, once for any number of questions.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size; `DISPOSED`.
   */
  encodeImages(pixelValues: PixelValues, options?: EncodeImagesOptions): Promise<VisualPrefix>;
  /**
   * Writes configuration, tokenizer and weights in the hub layout, so that the reference loads them. @throws Blip2Error
   * `INVALID_ARGUMENT`, `WRITE_FAILED`.
   */
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  /** Ends all parts and gives their memory back; what is asked of them after that fails with `DISPOSED`. */
  dispose(): Promise<void>;
}

/** Puts the model together from the parts of one checkpoint, which are disposed of if that fails. */
export async function assembleConditionalGeneration(parts: CheckpointParts): Promise<Blip2ForConditionalGeneration> {
  try {
    return await assemble(parts);
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}

async function assemble(parts: CheckpointParts): Promise<Blip2ForConditionalGeneration> {
  const { config, folders } = parts;
  parts.startLanguage();
  await expectComplete(folders, modelTensors(config));
  const visionModel = await parts.vision();
  const qformer = await parts.qformer();
  const languageProjection = await parts.projection();
  const languageModel = withGenerate(await parts.language());
  const pipeline = createPipeline(
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
    forward: (inputs, options) => forward(config, pipeline, { visionModel, qformer, languageModel }, inputs, options),
    generate: pipeline.generate,
    scoreSequences: pipeline.scoreSequences,
    encodeImages: pipeline.encodeImages,
    savePretrained: (target, options) => saveModel(folders, config, target, options),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

type ForwardParts = Pick<Blip2ForConditionalGeneration, 'visionModel' | 'qformer' | 'languageModel'>;

async function forward(
  config: Blip2Config,
  pipeline: Blip2Pipeline,
  parts: ForwardParts,
  inputs: ForwardInputs,
  options: ForwardOptions = {},
): Promise<ForwardOutput> {
  const outputs = {
    outputHiddenStates: options.outputHiddenStates ?? config.outputHiddenStates,
    outputAttentions: options.outputAttentions ?? config.outputAttentions,
  };
  expectDecoderInputs(parts.languageModel, inputs);
  // The cache that is asked for is the language model's: the Q-Former has one of its own.
  const image = await readImage(pipeline, parts, inputs.pixelValues, { ...options, ...outputs, useCache: false });
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

interface ReadImage {
  readonly prefix: VisualPrefix;
  readonly visionOutputs?: VisionOutput;
  readonly qformerOutputs?: QFormerOutput;
}

/** The prefix of the images, with what the parts say on the way to it. */
async function readImage(
  pipeline: Blip2Pipeline,
  { visionModel, qformer }: ForwardParts,
  pixelValues: PixelValues | VisualPrefix,
  options: ForwardOptions,
): Promise<ReadImage> {
  if (!isPixelValues(pixelValues)) return { prefix: pixelValues };
  const visionOutputs = await visionModel.forward({ pixelValues }, options);
  const qformerOutputs = await qformer.forward({ encoderHiddenStates: visionOutputs.lastHiddenState }, options);
  return { prefix: await pipeline.projection.project(qformerOutputs.lastHiddenState), visionOutputs, qformerOutputs };
}

async function fromPretrained(
  source: string | ModelSources,
  options: LoadOptions = {},
): Promise<Blip2ForConditionalGeneration> {
  return assembleConditionalGeneration(await openCheckpointParts(source, options));
}

async function fromConfig(
  config: Blip2Config,
  options: RandomOptions & LoadOptions = {},
): Promise<Blip2ForConditionalGeneration> {
  return assembleConditionalGeneration(await openRandomParts(config, options));
}

export const Blip2ForConditionalGeneration: {
  /**
   * Loads a folder in the Hugging Face layout or with the names of LAVIS, a hub id, or one of these for each part.
   * Weights are read when a part is first used.
   * @throws Blip2Error `MISSING_WEIGHT` if any is missing; `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`,
   * `UNSUPPORTED_DEVICE` for options;
   * `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_CHECKPOINT`, `UNSUPPORTED_ARCHITECTURE` for what the source holds; of a
   * hub id also `NOT_FOUND`,
   * `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`.
   */
  readonly fromPretrained: typeof fromPretrained;
  /**
   * A model with random weights, in a temporary file that goes away with it.
   * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`, `UNSUPPORTED_DEVICE` for options;
   * `WRITE_FAILED`.
   */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
