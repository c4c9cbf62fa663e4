import { Blip2Error } from '@blip2/interfaces';
import { Blip2Processor, type ProcessorParts } from '@blip2/processor';

import type { ModelConfig } from '../checkpoint/model-config.ts';

/** A folder, and what the configuration of its model says of image tokens. */
export interface ProcessorSource {
  readonly folder: string;
  readonly config: Pick<ModelConfig, 'imageTokenIndex' | 'numQueryTokens'>;
}

/**
 * The processor in a folder, as the model needs it: both or neither of them know an image token.
 * @throws Blip2Error `INVALID_CONFIG` if the two disagree.
 */
export async function loadProcessor(source: ProcessorSource): Promise<Blip2Processor> {
  return Blip2Processor.create(fittingParts(await Blip2Processor.fromPretrained(source.folder), source));
}

/** What a processor is made of, for a model. @throws as `loadProcessor`. */
export function fittingParts(
  { tokenizer, imageProcessor, numQueryTokens, imageTokenId }: ProcessorParts & Pick<Blip2Processor, 'imageTokenId'>,
  { folder, config }: ProcessorSource,
): ProcessorParts {
  // Repositories of 2023 have no image token in the model; a processor file written for them later must not insert any.
  if (config.imageTokenIndex === undefined) return { tokenizer, imageProcessor };
  if (imageTokenId !== config.imageTokenIndex) {
    throw new Blip2Error('INVALID_CONFIG', 'Model and tokenizer disagree on the image token', {
      where: folder,
      expected: `image_token_index ${config.imageTokenIndex}`,
      got: String(imageTokenId),
      fix: 'Use the tokenizer files of the same revision',
    });
  }
  return { tokenizer, imageProcessor, numQueryTokens: numQueryTokens ?? config.numQueryTokens };
}
