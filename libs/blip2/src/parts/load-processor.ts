import { Blip2Error } from '@blip2/interfaces';
import { Blip2Processor, InstructBlipProcessor, type ProcessorParts } from '@blip2/processor';

import type { ModelConfig } from '../checkpoint/model-config.ts';
import type { ModelFolders } from '../checkpoint/model-sources.ts';

/** The folders of a processor, and the image tokens of its model. */
export interface ProcessorSource {
  readonly folders: Pick<ModelFolders, 'images' | 'processor'>;
  readonly config: Pick<ModelConfig, 'imageTokenIndex' | 'numQueryTokens'>;
}

/**
 * Loads the processor of a model. It has an image token if the model has one.
 * @throws Blip2Error `INVALID_CONFIG` if processor and model have different image tokens.
 */
export async function loadProcessor(source: ProcessorSource): Promise<Blip2Processor> {
  const { images, processor: text } = source.folders;
  return Blip2Processor.create(fittingParts(await Blip2Processor.fromPretrained({ images, text }), source));
}

/**
 * Loads the processor of an InstructBLIP model, with both tokenizers.
 * @throws Blip2Error the codes of `loadProcessor`.
 */
export async function loadInstructProcessor(source: ProcessorSource): Promise<InstructBlipProcessor> {
  const { images, processor: text } = source.folders;
  const processor = await InstructBlipProcessor.fromPretrained({ images, text });
  return InstructBlipProcessor.create({
    ...fittingParts(processor, source),
    qformerTokenizer: processor.qformerTokenizer,
  });
}

/**
 * The components of a processor, adapted to a model.
 * @throws Blip2Error the codes of `loadProcessor`.
 */
export function fittingParts(
  { tokenizer, imageProcessor, numQueryTokens, imageTokenId }: ProcessorParts & Pick<Blip2Processor, 'imageTokenId'>,
  { folders, config }: ProcessorSource,
): ProcessorParts {
  // Models of legacy checkpoints have no image token; processor files that were added later must not insert one.
  if (config.imageTokenIndex === undefined) return { tokenizer, imageProcessor };
  if (imageTokenId !== config.imageTokenIndex) {
    throw new Blip2Error('INVALID_CONFIG', 'The image token of the tokenizer must be that of the model', {
      where: folders.processor,
      expected: `image_token_index ${config.imageTokenIndex}`,
      got: String(imageTokenId),
      fix: 'Use the tokenizer files of the same revision',
    });
  }
  return { tokenizer, imageProcessor, numQueryTokens: numQueryTokens ?? config.numQueryTokens };
}
