import { readJsonFile } from '@blip2/files';
import type { ResolveOptions } from '@blip2/hub';
import {
  type AttentionMask,
  Blip2Error,
  type ImageSource,
  mustBe,
  type PixelValues,
  type ProcessedInputs,
  type TokenIds,
} from '@blip2/interfaces';

import { BlipImageProcessor } from './blip-image-processor.ts';
import { checkProcessNames, imageOptions, type ImageProcessOptions, textOptions } from './process-options.ts';
import { processorFolder, type ProcessorSources, processorSources } from './processor-folder.ts';
import { checkLoadOptions } from './tokenizer/check-arguments.ts';
import type { BatchEncodeOptions } from './tokenizer/padding.ts';
import { type DecodeOptions, Tokenizer } from './tokenizer/tokenizer.ts';

/** Inputs of a processor: images, texts or both. */
export interface ProcessorInputs {
  readonly images?: ImageSource | readonly ImageSource[] | undefined;
  readonly text?: string | readonly string[] | undefined;
}

/** Options of `Blip2Processor.process`. */
export interface ProcessOptions extends BatchEncodeOptions, ImageProcessOptions {}

type Images = ImageSource | readonly ImageSource[];
type Texts = string | readonly string[];

/** Model inputs of processed images. */
export interface ProcessedImages {
  /** `[batch, 3, height, width]`. */
  readonly pixelValues: PixelValues;
}

/** Model inputs of processed texts. */
export interface ProcessedTexts {
  /** One row per text. Without padding, rows differ in length. */
  readonly inputIds: readonly TokenIds[];
  readonly attentionMask: AttentionMask;
}

/** Options that keep 8-bit pixel values (0-255): `pixelValues` is uint8. */
export interface RawPixelOptions extends ProcessOptions {
  readonly doRescale: false;
  readonly doNormalize: false;
}

/**
 * The processor of BLIP-2: converts images and text to model inputs.
 *
 * 1. Images become `pixelValues`, see `BlipImageProcessor`.
 * 2. Texts become `inputIds` and `attentionMask`: tokenize, add special tokens, truncate, pad.
 * 3. If there are images and the checkpoint defines image tokens, `numQueryTokens` of them are prepended to every row,
 *    before left padding. `maxLength` includes them, also for text without images.
 *
 * Source: HF `Blip2Processor`.
 */
export interface Blip2Processor {
  readonly imageProcessor: BlipImageProcessor;
  readonly tokenizer: Tokenizer;
  /** Image tokens per text; `undefined` for legacy checkpoints, whose models prepend the queries themselves. */
  readonly numQueryTokens: number | undefined;
  readonly imageTokenId: number;
  /**
   * Processes images, texts or both; the result has `pixelValues` only with images, ids and mask only with text.
   * @throws Blip2Error `INVALID_ARGUMENT` without inputs and for invalid options; `UNKNOWN_OPTION` for inputs and
   * options that do not exist; `SEQUENCE_TOO_LONG` for long texts; for images the codes of `BlipImageProcessor`.
   */
  process(inputs: ProcessorInputs, options: RawPixelOptions): Promise<ProcessedInputs>;
  process(
    inputs: { readonly images: Images; readonly text: Texts },
    options?: ProcessOptions,
  ): Promise<ProcessedImages & ProcessedTexts>;
  process(inputs: { readonly images: Images }, options?: ProcessOptions): Promise<ProcessedImages>;
  process(inputs: { readonly text: Texts }, options?: ProcessOptions): Promise<ProcessedTexts>;
  process(inputs: ProcessorInputs, options?: ProcessOptions): Promise<ProcessedInputs>;
  decode(ids: TokenIds, options?: DecodeOptions): string;
  batchDecode(rows: readonly TokenIds[], options?: DecodeOptions): string[];
}

/** Components of a processor. The tokenizer must know `<image>`: load it with `extraSpecialTokens`. */
export interface ProcessorParts {
  readonly imageProcessor: BlipImageProcessor;
  readonly tokenizer: Tokenizer;
  readonly numQueryTokens?: number | undefined;
}

const IMAGE_TOKEN = '<image>';
/** Upper bound of `num_query_tokens`. BLIP-2 has 32; longer prefixes exceed the positions of its language models. */
const MAX_QUERY_TOKENS = 4096;

async function fromPretrained(
  source: string | ProcessorSources,
  options: ResolveOptions = {},
): Promise<Blip2Processor> {
  checkLoadOptions('Blip2Processor', options);
  const { images, text } = processorSources(source);
  const folder = await processorFolder(text, options);
  const [imageProcessor, tokenizer, config] = await Promise.all([
    BlipImageProcessor.fromPretrained(images === text ? folder : await processorFolder(images, options)),
    Tokenizer.fromPretrained(folder, { extraSpecialTokens: [IMAGE_TOKEN] }),
    readJsonFile(folder, 'processor_config.json', { code: 'INVALID_CONFIG', maxBytes: 1024 * 1024 }),
  ]);
  return create({ imageProcessor, tokenizer, numQueryTokens: readQueryTokens(config?.['num_query_tokens']) });
}

function create({ imageProcessor, tokenizer, numQueryTokens }: ProcessorParts): Blip2Processor {
  const imageTokenId = requireImageToken(tokenizer);
  function process(inputs: ProcessorInputs, options: RawPixelOptions): Promise<ProcessedInputs>;
  function process(
    inputs: { readonly images: Images; readonly text: Texts },
    options?: ProcessOptions,
  ): Promise<ProcessedImages & ProcessedTexts>;
  function process(inputs: { readonly images: Images }, options?: ProcessOptions): Promise<ProcessedImages>;
  function process(inputs: { readonly text: Texts }, options?: ProcessOptions): Promise<ProcessedTexts>;
  function process(inputs: ProcessorInputs, options?: ProcessOptions): Promise<ProcessedInputs>;
  async function process(inputs: ProcessorInputs, options: ProcessOptions = {}): Promise<ProcessedInputs> {
    checkProcessNames('Blip2Processor', inputs, options);
    const { images, text } = inputs;
    if (images === undefined && text === undefined)
      throw new Blip2Error('INVALID_ARGUMENT', 'There is nothing to process', { expected: 'images, text or both' });
    const prefix = images === undefined ? [] : Array.from({ length: numQueryTokens ?? 0 }, () => imageTokenId);
    const encoded =
      text === undefined
        ? {}
        : encodeTexts(tokenizer, toTexts(text), prefix, reduceMaxLength(textOptions(options), numQueryTokens));
    return { ...encoded, ...(images === undefined ? {} : await imageProcessor.process(images, imageOptions(options))) };
  }
  return {
    imageProcessor,
    tokenizer,
    numQueryTokens,
    imageTokenId,
    process,
    decode: (ids, options) => tokenizer.decode(ids, options),
    batchDecode: (rows, options) => tokenizer.batchDecode(rows, options),
  };
}

function requireImageToken(tokenizer: Tokenizer): number {
  const id = tokenizer.tokenToId(IMAGE_TOKEN);
  if (id === undefined)
    throw new Blip2Error('INVALID_TOKENIZER', `The tokenizer has no ${IMAGE_TOKEN}`, {
      fix: 'Load it with extraSpecialTokens: ["<image>"]',
    });
  return id;
}

/** Creates processors of BLIP-2. */
export const Blip2Processor: {
  /**
   * Loads from a folder in the Hugging Face layout, or from a Hub repository id, or one for images and one for text.
   * Of a repository, only the files of the processor and its tokenizers are downloaded.
   * @throws Blip2Error `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_TOKENIZER`; for repository ids the codes of
   * `downloadModel`.
   */
  readonly fromPretrained: (source: string | ProcessorSources, options?: ResolveOptions) => Promise<Blip2Processor>;
  /**
   * Creates a processor from its components.
   * @throws Blip2Error `INVALID_TOKENIZER` if the tokenizer does not know `<image>`.
   */
  readonly create: (parts: ProcessorParts) => Blip2Processor;
} = { fromPretrained, create };

function encodeTexts(
  tokenizer: Tokenizer,
  texts: readonly string[],
  prefix: readonly number[],
  options: BatchEncodeOptions,
): Pick<ProcessedInputs, 'inputIds' | 'attentionMask'> {
  const { inputIds, attentionMask } = tokenizer.batchEncode(texts, options);
  const ones = prefix.map(() => 1);
  return {
    inputIds: inputIds.map((row) => [...prefix, ...row]),
    attentionMask: attentionMask.map((row) => [...ones, ...row]),
  };
}

function toTexts(text: string | readonly string[]): readonly string[] {
  const texts = typeof text === 'string' ? [text] : text;
  if (Array.isArray(texts) && texts.length > 0 && texts.every((each) => typeof each === 'string')) return texts;
  throw mustBe('text', 'a string or a non-empty list of strings', text);
}

function reduceMaxLength(
  { maxLength, ...options }: BatchEncodeOptions,
  numQueryTokens: number | undefined,
): BatchEncodeOptions {
  if (maxLength === undefined) return options;
  if (numQueryTokens === undefined) return { ...options, maxLength };
  if (maxLength >= numQueryTokens) return { ...options, maxLength: maxLength - numQueryTokens };
  throw mustBe('maxLength', `at least ${numQueryTokens}, the number of image tokens`, maxLength);
}

function readQueryTokens(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= MAX_QUERY_TOKENS) return value;
  const where = 'processor_config.json';
  throw mustBe('num_query_tokens', `an integer from 1 to ${MAX_QUERY_TOKENS}`, value, {
    code: 'INVALID_CONFIG',
    where,
  });
}
