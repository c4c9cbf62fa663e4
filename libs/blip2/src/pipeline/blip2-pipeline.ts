import {
  generate,
  type GenerateOutput,
  type GenerationContext,
  type SequenceLogProbs,
  sequenceLogProbs,
  type SequenceLogProbsOptions,
  validateGenerationOptions,
} from '@blip2/generate';
import {
  defined,
  expectFinite,
  expectKnownOptions,
  expectTensor,
  type GenerationOptions,
  type LanguageModel,
  type LanguageProjection,
  type PatchFeatures,
  type PixelValues,
  type QFormer,
  type QueryFeatures,
  type TokenIds,
  type VisionEncoder,
} from '@blip2/interfaces';

import { encodePatches } from './encode-patches.ts';
import { expectFit, expectImagePartsFit, expectPromptsFit } from './expect-fit.ts';
import { expectImageInputs, PIXEL_AXES, PROMPT_INPUTS } from './image-inputs.ts';
import {
  type MergedPrompt,
  mergePrompt,
  type PromptLayout,
  type PromptText,
  type VisualPrefix,
} from './merge-prompt.ts';

/** The four parts: one implementation per interface, built-in or custom. */
export interface Blip2Parts {
  /** Pixels `[batch, 3, height, width]` → patches `[batch, 1 + patches, visionHidden]`. */
  readonly vision: VisionEncoder;
  /** Patches → query outputs `[batch, queries, hidden]`. */
  readonly qformer: QFormer;
  /** Query outputs → embeddings `[batch, queries, embeddingSize]`. */
  readonly projection: LanguageProjection;
  /** Embeddings of image and prompt → logits of the next token, `[batch, 1, vocabulary]`. */
  readonly language: LanguageModel;
}

/** How images are encoded. */
export interface EncodeImagesOptions {
  /** Accept images of another size than the encoder's. Default: false. */
  readonly interpolatePosEncoding?: boolean;
  /** Aborts between two images. */
  readonly signal?: AbortSignal;
}

const ENCODE_OPTIONS: Readonly<Record<keyof EncodeImagesOptions, true>> = {
  interpolatePosEncoding: true,
  signal: true,
};

/** @throws Blip2Error `UNKNOWN_OPTION`, `INVALID_ARGUMENT`. */
export function expectEncodeOptions(where: string, options: unknown): void {
  expectKnownOptions(where, options, Object.keys(ENCODE_OPTIONS));
}

/** @throws Blip2Error `UNKNOWN_OPTION`, `INVALID_ARGUMENT`, `SHAPE_MISMATCH`, `NOT_FINITE`. */
export function expectEncodeArguments(pixelValues: PixelValues, options: EncodeImagesOptions | undefined): void {
  expectEncodeOptions('encodeImages', options);
  expectTensor('pixelValues', pixelValues, PIXEL_AXES);
}

/** A prompt with images. */
export interface PromptInputs extends PromptText {
  /** Images `[batch, 3, height, width]`, or their prefix from `encodeImages`. */
  readonly pixelValues: PixelValues | VisualPrefix;
}

/** The four parts connected: images to prefix, prefix and text to tokens. */
export interface Blip2Pipeline extends Blip2Parts, PromptTasks<PromptInputs>, AsyncDisposable {
  /**
   * Images `[batch, 3, height, width]` → `[batch, queries, embeddingSize]`.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size; `NOT_FINITE` if a part returns NaN or infinity.
   */
  encodeImages(pixelValues: PixelValues, options?: EncodeImagesOptions): Promise<VisualPrefix>;
}

/** What a language model computes from prompts with images. */
export interface PromptTasks<Inputs extends PromptInputs> {
  /**
   * The embeddings of a whole prompt, image features included.
   * @throws Blip2Error `INVALID_ARGUMENT` for both ids and embeddings, or for ids beyond the vocabulary.
   * @throws Blip2Error `SHAPE_MISMATCH` if image tokens and features, or texts and images, differ in number.
   */
  embedPrompt(inputs: Inputs, options?: EncodeImagesOptions): Promise<MergedPrompt>;
  /**
   * Generates new tokens after each prompt; `sequences` contains only these, unless `returnPrompt` is set.
   * @throws Blip2Error the codes of `embedPrompt`, and of `generate` of `@blip2/generate`.
   */
  generate(inputs: Inputs, options?: GenerationOptions, context?: GenerationContext): Promise<GenerateOutput>;
  /**
   * Natural log-probabilities of candidates as continuations of each prompt (teacher forcing): one list per prompt, one
   * entry per candidate. The prompts are prefilled once.
   * @throws Blip2Error the codes of `embedPrompt`, and of `sequenceLogProbs` of `@blip2/generate`.
   */
  scoreSequences(
    inputs: Inputs,
    candidates: readonly TokenIds[],
    options?: SequenceLogProbsOptions & EncodeImagesOptions,
  ): Promise<SequenceLogProbs[][]>;
}

/**
 * Connects four parts.
 * @throws Blip2Error `SHAPE_MISMATCH` if the widths of adjacent parts differ.
 */
export function createPipeline(parts: Blip2Parts, layout: PromptLayout): Blip2Pipeline {
  expectFit(parts);
  return connectBlip2(parts, layout);
}

/**
 * Connects the parts of a checkpoint. Unlike `createPipeline`, it accepts a projection that does not fit the language
 * model; prompts are then refused (`expectPromptsFit`), and images can be encoded.
 * @throws Blip2Error `SHAPE_MISMATCH` if the widths of other adjacent parts differ.
 */
export function connectCheckpoint(parts: Blip2Parts, layout: PromptLayout): Blip2Pipeline {
  expectImagePartsFit(parts);
  return connectBlip2(parts, layout);
}

function connectBlip2(parts: Blip2Parts, layout: PromptLayout): Blip2Pipeline {
  const { qformer } = parts;
  const encodeImages: Blip2Pipeline['encodeImages'] = async (pixelValues, options) =>
    connectQueries(parts, pixelValues, options, (patches) => qformer.query(patches));
  const prefixOf = async ({ pixelValues }: PromptInputs, options?: EncodeImagesOptions): Promise<VisualPrefix> =>
    isPixelValues(pixelValues) ? encodeImages(pixelValues, options) : pixelValues;
  return { ...connectParts(parts, layout, prefixOf, PROMPT_INPUTS), encodeImages };
}

/**
 * Runs encoder, Q-Former and projection, which may all be custom.
 * @throws Blip2Error `NOT_FINITE` if one of them returns NaN or infinity.
 */
export async function connectQueries(
  { vision, projection }: Pick<Blip2Parts, 'vision' | 'projection'>,
  pixelValues: PixelValues,
  options: EncodeImagesOptions | undefined,
  query: (patches: PatchFeatures) => Promise<QueryFeatures>,
): Promise<VisualPrefix> {
  expectEncodeArguments(pixelValues, options);
  const patches = expectFinite('vision encoder', await encodePatches(vision, pixelValues, options));
  options?.signal?.throwIfAborted();
  const queries = expectFinite('Q-Former', await query(patches));
  return expectFinite('language projection', await projection.project(queries));
}

/** What the pipelines have in common: the parts, their prompt tasks and their disposal. */
export function connectParts<
  Parts extends Disposables & Pick<Blip2Parts, 'language' | 'projection'>,
  Inputs extends PromptInputs,
>(
  parts: Parts,
  layout: PromptLayout,
  prefixOf: (inputs: Inputs, options?: EncodeImagesOptions) => Promise<VisualPrefix>,
  inputNames: readonly string[],
): Pick<Parts, keyof Blip2Parts> & PromptTasks<Inputs> & AsyncDisposable {
  const { vision, qformer, projection, language } = parts;
  return {
    vision,
    qformer,
    projection,
    language,
    ...createPromptTasks(parts, layout, prefixOf, inputNames),
    async [Symbol.asyncDispose]() {
      for (const part of [language, projection, qformer, vision]) await part[Symbol.asyncDispose]();
    },
  };
}

type Disposables = { readonly [Part in keyof Blip2Parts]: AsyncDisposable };

/** Prompt tasks over any function from images to their prefix. */
function createPromptTasks<Inputs extends PromptInputs>(
  { language, projection }: Pick<Blip2Parts, 'language' | 'projection'>,
  layout: PromptLayout,
  prefixOf: (inputs: Inputs, options?: EncodeImagesOptions) => Promise<VisualPrefix>,
  inputNames: readonly string[],
): PromptTasks<Inputs> {
  const merge: PromptTasks<Inputs>['embedPrompt'] = async (inputs, options) => {
    expectPromptsFit({ projection, language });
    return mergePrompt({ prefix: await prefixOf(inputs, options), text: inputs, layout, language });
  };
  return {
    async embedPrompt(inputs, options) {
      expectImageInputs('embedPrompt', inputs, inputNames);
      expectEncodeOptions('embedPrompt', options);
      return merge(inputs, options);
    },
    async generate(inputs, options = {}, context = {}) {
      expectImageInputs('generate', inputs, inputNames);
      // Before the image is encoded.
      validateGenerationOptions(options);
      const { interpolatePosEncoding = false } = options;
      const { promptIds, ...prompt } = await merge(inputs, {
        interpolatePosEncoding,
        ...defined({ signal: options.signal }),
      });
      // Penalties apply to the prompt of a causal model; the decoder of a seq2seq model starts with its own ids.
      return generate(
        language,
        language.architecture === 'causal' ? { ...prompt, promptIds } : prompt,
        options,
        context,
      );
    },
    async scoreSequences(inputs, candidates, options = {}) {
      expectImageInputs('scoreSequences', inputs, inputNames);
      expectEncodeOptions('scoreSequences', options);
      const { interpolatePosEncoding = false } = options;
      const signal = defined({ signal: options.signal });
      const { inputsEmbeds, attentionMask } = await merge(inputs, { interpolatePosEncoding, ...signal });
      return sequenceLogProbs(language, { inputsEmbeds, attentionMask }, candidates, signal);
    },
  };
}

/** Distinguishes images, which have four axes, from prefixes, which have three. */
export function isPixelValues(tensor: PixelValues | VisualPrefix): tensor is PixelValues {
  return tensor.dims.length === 4;
}
