import { readJsonFile } from '@blip2/files';
import { type ResolveOptions, resolveProcessorSource } from '@blip2/hub';
import {
  type AttentionMask,
  Blip2Error,
  type ImageSource,
  type PixelValues,
  type ProcessedInputs,
  type TokenIds,
} from '@blip2/interfaces';

import { BlipImageProcessor, type ImageProcessOptions } from './blip-image-processor.ts';
import type { BatchEncodeOptions } from './tokenizer/padding.ts';
import { type DecodeOptions, Tokenizer } from './tokenizer/tokenizer.ts';

export interface ProcessorInputs {
  readonly images?: ImageSource | readonly ImageSource[] | undefined;
  readonly text?: string | readonly string[] | undefined;
}

export interface ProcessOptions extends BatchEncodeOptions, ImageProcessOptions {}

type Images = ImageSource | readonly ImageSource[];
type Texts = string | readonly string[];

export interface ProcessedImages {
  /** `[batch, 3, height, width]`. */
  readonly pixelValues: PixelValues;
}

export interface ProcessedTexts {
  /** One row per text; ragged unless padded. */
  readonly inputIds: readonly TokenIds[];
  readonly attentionMask: AttentionMask;
}

/** With these, images stay levels: `pixelValues` is uint8. */
export interface LevelOptions extends ProcessOptions {
  readonly doRescale: false;
  readonly doNormalize: false;
}

/**
 * Images and text to the inputs of BLIP-2 (the reference's `Blip2Processor`). Where the checkpoint has image tokens,
 * `numQueryTokens`
 * of them stand in front of every row, also in front of left padding; `maxLength` counts them, for text alone too.
 */
export interface Blip2Processor {
  readonly imageProcessor: BlipImageProcessor;
  readonly tokenizer: Tokenizer;
  /** Image tokens per text; `undefined` in older repositories, whose models put the queries in front themselves. */
  readonly numQueryTokens: number | undefined;
  readonly imageTokenId: number;
  /**
   * Images alone give `pixelValues` only, text alone no `pixelValues`. `INVALID_ARGUMENT` for neither, and for options
   * out of range.
   */
  process(inputs: ProcessorInputs, options: LevelOptions): Promise<ProcessedInputs>;
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

/** What a processor is made of. The tokenizer must know `<image>`: load it with `extraSpecialTokens`. */
export interface ProcessorParts {
  readonly imageProcessor: BlipImageProcessor;
  readonly tokenizer: Tokenizer;
  readonly numQueryTokens?: number | undefined;
}

const IMAGE_TOKEN = '<image>';
/** BLIP-2 has 32; a row longer than this fits no language model of its kind. */
const MAX_QUERY_TOKENS = 4096;

async function fromPretrained(source: string, options: ResolveOptions = {}): Promise<Blip2Processor> {
  const folder = await resolveProcessorSource(source, options);
  const [imageProcessor, tokenizer, config] = await Promise.all([
    BlipImageProcessor.fromPretrained(folder),
    Tokenizer.fromPretrained(folder, { extraSpecialTokens: [IMAGE_TOKEN] }),
    readJsonFile(folder, 'processor_config.json', { code: 'INVALID_CONFIG', maxBytes: 1024 * 1024 }),
  ]);
  return create({ imageProcessor, tokenizer, numQueryTokens: readQueryTokens(config?.['num_query_tokens']) });
}

function create({ imageProcessor, tokenizer, numQueryTokens }: ProcessorParts): Blip2Processor {
  const imageTokenId = requireImageToken(tokenizer);
  function process(inputs: ProcessorInputs, options: LevelOptions): Promise<ProcessedInputs>;
  function process(
    inputs: { readonly images: Images; readonly text: Texts },
    options?: ProcessOptions,
  ): Promise<ProcessedImages & ProcessedTexts>;
  function process(inputs: { readonly images: Images }, options?: ProcessOptions): Promise<ProcessedImages>;
  function process(inputs: { readonly text: Texts }, options?: ProcessOptions): Promise<ProcessedTexts>;
  function process(inputs: ProcessorInputs, options?: ProcessOptions): Promise<ProcessedInputs>;
  async function process({ images, text }: ProcessorInputs, options: ProcessOptions = {}): Promise<ProcessedInputs> {
    if (images === undefined && text === undefined)
      throw new Blip2Error('INVALID_ARGUMENT', 'Nothing to process', { expected: 'images, text or both' });
    const prefix = images === undefined ? [] : Array.from({ length: numQueryTokens ?? 0 }, () => imageTokenId);
    const encoded =
      text === undefined ? {} : encodeTexts(tokenizer, toTexts(text), prefix, reduceMaxLength(options, numQueryTokens));
    return { ...encoded, ...(images === undefined ? {} : await imageProcessor.process(images, options)) };
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

export const Blip2Processor: {
  /**
   * The processor of a folder in the Hugging Face layout, or of a hub id, of which only the files of processor and
   * tokenizers are downloaded.
   * @throws Blip2Error `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_TOKENIZER`; for hub ids as `downloadModel`.
   */
  readonly fromPretrained: (source: string, options?: ResolveOptions) => Promise<Blip2Processor>;
  /** Made from its parts. @throws Blip2Error `INVALID_TOKENIZER` if the tokenizer does not know `<image>`. */
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
  throw new Blip2Error('INVALID_ARGUMENT', 'Not a text', { where: 'text', expected: 'a string or a list of strings' });
}

function reduceMaxLength(
  { maxLength, ...options }: ProcessOptions,
  numQueryTokens: number | undefined,
): BatchEncodeOptions {
  if (maxLength === undefined) return options;
  if (numQueryTokens === undefined) return { ...options, maxLength };
  if (maxLength >= numQueryTokens) return { ...options, maxLength: maxLength - numQueryTokens };
  throw new Blip2Error('INVALID_ARGUMENT', 'Too short for the image tokens', {
    where: 'maxLength',
    expected: `at least ${numQueryTokens}`,
    got: String(maxLength),
  });
}

function readQueryTokens(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= MAX_QUERY_TOKENS) return value;
  throw new Blip2Error('INVALID_CONFIG', 'Impossible number of image tokens', {
    where: 'processor_config.json: num_query_tokens',
    expected: `1 to ${MAX_QUERY_TOKENS}`,
    got: String(value),
  });
}
