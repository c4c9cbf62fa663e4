import { type ResolveOptions, resolveProcessorSource } from '@blip2/hub';
import type { AttentionMask, ImageSource, ProcessedInputs, TokenIds } from '@blip2/interfaces';

import {
  Blip2Processor,
  type ProcessedImages,
  type ProcessedTexts,
  type ProcessOptions,
  type ProcessorInputs,
  type ProcessorParts,
} from './blip2-processor.ts';
import { Tokenizer } from './tokenizer/tokenizer.ts';

export interface InstructedTexts extends ProcessedTexts {
  /** The same texts as the Q-Former reads them, one row per text; ragged unless padded. */
  readonly qformerInputIds: readonly TokenIds[];
  readonly qformerAttentionMask: AttentionMask;
}

/**
 * Images and instructions to the inputs of InstructBLIP (the reference's `InstructBlipProcessor`): those of BLIP-2, and
 * each text once more for the Q-Former.
 * `maxLength` counts the image tokens of the language model's rows; the Q-Former's rows have none and get all of it.
 */
export interface InstructBlipProcessor extends Omit<Blip2Processor, 'process'> {
  /** The Q-Former's own: another vocabulary. */
  readonly qformerTokenizer: Tokenizer;
  /**
   * Images alone give `pixelValues` only, text alone no `pixelValues`. `INVALID_ARGUMENT` for neither, and for options
   * out of range.
   */
  process(
    inputs: { readonly images: ImageSource | readonly ImageSource[]; readonly text: string | readonly string[] },
    options?: ProcessOptions,
  ): Promise<ProcessedImages & InstructedTexts>;
  process(inputs: ProcessorInputs, options?: ProcessOptions): Promise<ProcessedInputs>;
}

export interface InstructBlipProcessorParts extends ProcessorParts {
  readonly qformerTokenizer: Tokenizer;
}

/** The Q-Former's tokenizer lies in a folder of its own. */
const QFORMER_FOLDER = 'qformer_tokenizer';

async function fromPretrained(source: string, options: ResolveOptions = {}): Promise<InstructBlipProcessor> {
  const folder = await resolveProcessorSource(source, options);
  const [{ imageProcessor, tokenizer, numQueryTokens }, qformerTokenizer] = await Promise.all([
    Blip2Processor.fromPretrained(folder),
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
    const processed = await processForModel(inputs, options);
    if (inputs.text === undefined) return processed;
    const { inputIds, attentionMask } = qformerTokenizer.batchEncode(
      typeof inputs.text === 'string' ? [inputs.text] : inputs.text,
      options,
    );
    return { ...processed, qformerInputIds: inputIds, qformerAttentionMask: attentionMask };
  }
  return { ...processor, qformerTokenizer, process };
}

export const InstructBlipProcessor: {
  /**
   * The processor of a folder in the Hugging Face layout, or of a hub id, of which only the files of processor and
   * tokenizers are downloaded; with the second tokenizer in `qformer_tokenizer`.
   * @throws Blip2Error `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_TOKENIZER`; for hub ids as `downloadModel`.
   */
  readonly fromPretrained: typeof fromPretrained;
  /** Made from its parts. */
  readonly create: typeof create;
} = { fromPretrained, create };
