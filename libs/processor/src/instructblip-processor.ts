import type { ResolveOptions } from '@blip2/hub';
import type { AttentionMask, ImageSource, ProcessedInputs, TokenIds } from '@blip2/interfaces';

import {
  Blip2Processor,
  type ProcessedImages,
  type ProcessedTexts,
  type ProcessOptions,
  type ProcessorInputs,
  type ProcessorParts,
} from './blip2-processor.ts';
import { checkProcessNames, textOptions } from './process-options.ts';
import { processorFolder, type ProcessorSources, processorSources } from './processor-folder.ts';
import { checkLoadOptions } from './tokenizer/check-arguments.ts';
import { Tokenizer } from './tokenizer/tokenizer.ts';

/** Model inputs of instructions for InstructBLIP. */
export interface InstructedTexts extends ProcessedTexts {
  /** The instructions as ids of the Q-Former's tokenizer, one row per text. */
  readonly qformerInputIds: readonly TokenIds[];
  readonly qformerAttentionMask: AttentionMask;
}

/**
 * The processor of InstructBLIP: converts images and instructions to model inputs.
 *
 * 1. Images and texts are processed as by `Blip2Processor`; `maxLength` includes the image tokens.
 * 2. Texts are also encoded with the Q-Former's tokenizer to `qformerInputIds` and `qformerAttentionMask`. These rows
 *    have no image tokens, so the whole `maxLength` is available to the text.
 *
 * Source: HF `InstructBlipProcessor`.
 */
export interface InstructBlipProcessor extends Omit<Blip2Processor, 'process'> {
  /** The tokenizer of the Q-Former, which has a vocabulary of its own. */
  readonly qformerTokenizer: Tokenizer;
  /**
   * Processes images, texts or both, see `Blip2Processor.process`.
   * @throws Blip2Error the codes of `Blip2Processor.process`.
   */
  process(
    inputs: { readonly images: ImageSource | readonly ImageSource[]; readonly text: string | readonly string[] },
    options?: ProcessOptions,
  ): Promise<ProcessedImages & InstructedTexts>;
  process(inputs: ProcessorInputs, options?: ProcessOptions): Promise<ProcessedInputs>;
}

/** Components of a processor of InstructBLIP. */
export interface InstructBlipProcessorParts extends ProcessorParts {
  readonly qformerTokenizer: Tokenizer;
}

/** Subfolder of the Q-Former's tokenizer. */
const QFORMER_FOLDER = 'qformer_tokenizer';

async function fromPretrained(
  source: string | ProcessorSources,
  options: ResolveOptions = {},
): Promise<InstructBlipProcessor> {
  checkLoadOptions('InstructBlipProcessor', options);
  const { images, text } = processorSources(source);
  const folder = await processorFolder(text, options);
  const [{ imageProcessor, tokenizer, numQueryTokens }, qformerTokenizer] = await Promise.all([
    Blip2Processor.fromPretrained({ images: images === text ? folder : images, text: folder }, options),
    Tokenizer.fromPretrained(folder, { subfolder: QFORMER_FOLDER }),
  ]);
  return create({ imageProcessor, tokenizer, numQueryTokens, qformerTokenizer });
}

function create({ qformerTokenizer, ...parts }: InstructBlipProcessorParts): InstructBlipProcessor {
  const { process: processForModel, ...processor } = Blip2Processor.create(parts);
  function process(
    inputs: { readonly images: ImageSource | readonly ImageSource[]; readonly text: string | readonly string[] },
    options?: ProcessOptions,
  ): Promise<ProcessedImages & InstructedTexts>;
  function process(inputs: ProcessorInputs, options?: ProcessOptions): Promise<ProcessedInputs>;
  async function process(inputs: ProcessorInputs, options: ProcessOptions = {}): Promise<ProcessedInputs> {
    checkProcessNames('InstructBlipProcessor', inputs, options);
    const processed = await processForModel(inputs, options);
    if (inputs.text === undefined) return processed;
    const { inputIds, attentionMask } = qformerTokenizer.batchEncode(
      typeof inputs.text === 'string' ? [inputs.text] : inputs.text,
      textOptions(options),
    );
    return { ...processed, qformerInputIds: inputIds, qformerAttentionMask: attentionMask };
  }
  return { ...processor, qformerTokenizer, process };
}

/** Creates processors of InstructBLIP. */
export const InstructBlipProcessor: {
  /**
   * Loads from a folder in the Hugging Face layout, or from a Hub repository id. In the latter case only the files of
   * the processor and its tokenizers are downloaded. The Q-Former's tokenizer is read from `qformer_tokenizer`.
   * @throws Blip2Error `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_TOKENIZER`; for repository ids the codes of
   * `downloadModel`.
   */
  readonly fromPretrained: typeof fromPretrained;
  /**
   * Creates a processor from its components.
   * @throws Blip2Error `INVALID_TOKENIZER` if the tokenizer does not know `<image>`.
   */
  readonly create: typeof create;
} = { fromPretrained, create };
