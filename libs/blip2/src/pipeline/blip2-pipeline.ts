import {
  generate,
  type GenerateOutput,
  type GenerationContext,
  type SequenceLogProbs,
  sequenceLogProbs,
  type SequenceLogProbsOptions,
} from '@blip2/generate';
import {
  Blip2Error,
  type GenerationOptions,
  type LanguageModel,
  type LanguageProjection,
  type PixelValues,
  type QFormer,
  type TokenEmbeddings,
  type TokenIds,
  type VisionEncoder,
} from '@blip2/interfaces';

import { type MergedPrompt, mergePrompt, type PromptText } from './merge-prompt.ts';

/** One implementation per seam, ours or anybody's. */
export interface Blip2Parts {
  /** Pixels `[batch, 3, height, width]` → patches `[batch, 1 + patches, visionHidden]`. */
  readonly vision: VisionEncoder;
  /** Patches → queries `[batch, queries, hidden]`. */
  readonly qformer: QFormer;
  /** Queries → embeddings `[batch, queries, embeddingSize]`. */
  readonly projection: LanguageProjection;
  /** Embeddings of image and prompt → scores of the next token, `[batch, 1, vocabulary]`. */
  readonly language: LanguageModel;
}

/** How images get into a prompt. */
export interface PromptLayout {
  /**
   * The id whose positions take the image features; `undefined`: the features stand in front of the text (repositories
   * of 2023).
   */
  readonly imageTokenIndex: number | undefined;
}

/** What the language model reads of an image, `[batch, queries, embeddingSize]`: usable for any number of questions. */
export type VisualPrefix = TokenEmbeddings;

/** How images are encoded. */
export interface EncodeImagesOptions {
  /** Accept other sizes than the encoder's. Default false. */
  readonly interpolatePosEncoding?: boolean;
}

/** A prompt that images are part of. */
export interface PromptInputs extends PromptText {
  /** Images `[batch, 3, height, width]`, or the prefix that `encodeImages` made of them. */
  readonly pixelValues: PixelValues | VisualPrefix;
}

/** The four parts in a row: images to prefix, prefix and text to tokens. */
export interface Blip2Pipeline extends Blip2Parts, PromptTasks<PromptInputs>, AsyncDisposable {
  /**
   * Images `[batch, 3, height, width]` → `[batch, queries, embeddingSize]`. @throws Blip2Error `SHAPE_MISMATCH` for
   * images of another size.
   */
  encodeImages(pixelValues: PixelValues, options?: EncodeImagesOptions): Promise<VisualPrefix>;
}

/** What a language model does with prompts that images are part of. */
export interface PromptTasks<Inputs extends PromptInputs> {
  /**
   * Embeddings of a whole prompt, image features in their places.
   * @throws Blip2Error `INVALID_ARGUMENT` for ids and embeddings both, or ids beyond the vocabulary; `SHAPE_MISMATCH`
   * if image tokens and features, or texts and images, are not as many.
   */
  embedPrompt(inputs: Inputs, options?: EncodeImagesOptions): Promise<MergedPrompt>;
  /**
   * Writes new tokens after each prompt. @throws Blip2Error as `embedPrompt`, and as `generate` of `@blip2/generate`.
   */
  generate(inputs: Inputs, options?: GenerationOptions, context?: GenerationContext): Promise<GenerateOutput>;
  /**
   * How likely each candidate is as what follows each prompt: one list per prompt, one entry per candidate. The prompts
   * are read once.
   * @throws Blip2Error as `embedPrompt`, and as `sequenceLogProbs` of `@blip2/generate`.
   */
  scoreSequences(
    inputs: Inputs,
    candidates: readonly TokenIds[],
    options?: SequenceLogProbsOptions & EncodeImagesOptions,
  ): Promise<SequenceLogProbs[][]>;
}

/**
 * Assembles four parts.
 * @throws Blip2Error `SHAPE_MISMATCH` if neighbours do not fit.
 */
export function createPipeline(parts: Blip2Parts, layout: PromptLayout): Blip2Pipeline {
  const { vision, qformer, projection, language } = parts;
  expectFit(parts);
  const encodeImages: Blip2Pipeline['encodeImages'] = async (pixelValues, options) =>
    projection.project(await qformer.query(await vision.encode(pixelValues, options)));
  const prefixOf = async ({ pixelValues }: PromptInputs, options?: EncodeImagesOptions): Promise<VisualPrefix> =>
    isPixelValues(pixelValues) ? encodeImages(pixelValues, options) : pixelValues;
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

/** Prompts over any way from images to their prefix. */
export function createPromptTasks<Inputs extends PromptInputs>(
  language: LanguageModel,
  layout: PromptLayout,
  prefixOf: (inputs: Inputs, options?: EncodeImagesOptions) => Promise<VisualPrefix>,
): PromptTasks<Inputs> {
  const embedPrompt: PromptTasks<Inputs>['embedPrompt'] = async (inputs, options) =>
    mergePrompt({ prefix: await prefixOf(inputs, options), text: inputs, layout, language });
  return {
    embedPrompt,
    async generate(inputs, options = {}, context = {}) {
      const { interpolatePosEncoding = false } = options;
      const { promptIds, ...prompt } = await embedPrompt(inputs, { interpolatePosEncoding });
      // Penalties see the prompt of a causal model; a seq2seq model begins with ids of its own.
      return generate(
        language,
        language.architecture === 'causal' ? { ...prompt, promptIds } : prompt,
        options,
        context,
      );
    },
    async scoreSequences(inputs, candidates, { interpolatePosEncoding = false, ...options } = {}) {
      const { inputsEmbeds, attentionMask } = await embedPrompt(inputs, { interpolatePosEncoding });
      return sequenceLogProbs(language, { inputsEmbeds, attentionMask }, candidates, options);
    },
  };
}

/** @throws Blip2Error `SHAPE_MISMATCH` if a part does not read what the one before it writes. */
export function expectFit({
  vision,
  qformer,
  projection,
  language,
}: Omit<Blip2Parts, 'qformer'> & { readonly qformer: Pick<QFormer, 'hiddenSize' | 'encoderHiddenSize'> }): void {
  expectSeen(vision, qformer);
  expectSame('qformer.hiddenSize', qformer.hiddenSize, 'projection.inFeatures', projection.inFeatures);
  expectSame('projection.outFeatures', projection.outFeatures, 'language.embeddingSize', language.embeddingSize);
}

/** @throws Blip2Error `SHAPE_MISMATCH` if a Q-Former does not read what an encoder writes. */
export function expectSeen(
  vision: Pick<VisionEncoder, 'hiddenSize'>,
  qformer: Pick<QFormer, 'encoderHiddenSize'>,
): void {
  expectSame('vision.hiddenSize', vision.hiddenSize, 'qformer.encoderHiddenSize', qformer.encoderHiddenSize);
}

/** Images have four axes, prefixes three. */
export function isPixelValues(tensor: PixelValues | VisualPrefix): tensor is PixelValues {
  return tensor.dims.length === 4;
}

function expectSame(a: string, left: number, b: string, right: number): void {
  if (left !== right)
    throw new Blip2Error('SHAPE_MISMATCH', `${a} is ${left} but ${b} is ${right}`, {
      fix: 'Use parts that were trained together, or another projection',
    });
}
