import { Blip2Error } from '@blip2/interfaces';
import { Blip2Processor } from '@blip2/processor';
import type { CheckpointParts } from './checkpoint-parts.ts';

/**
 * The processor in a folder, as the model needs it: both or neither of them know an image token.
 * @throws Blip2Error `INVALID_CONFIG` if the two disagree.
 */
export async function loadProcessor({ folder, config }: Pick<CheckpointParts, 'folder' | 'config'>): Promise<Blip2Processor> {
  const { tokenizer, imageProcessor, numQueryTokens, imageTokenId } = await Blip2Processor.fromPretrained(folder);
  // Repositories of 2023 have no image token in the model; a processor file written for them later must not insert any.
  if (config.imageTokenIndex === undefined) return Blip2Processor.create({ tokenizer, imageProcessor });
  if (imageTokenId !== config.imageTokenIndex) {
    throw new Blip2Error('INVALID_CONFIG', 'Model and tokenizer disagree on the image token', {
      where: folder, expected: `image_token_index ${config.imageTokenIndex}`, got: String(imageTokenId), fix: 'Use the tokenizer files of the same revision',
    });
  }
  return Blip2Processor.create({ tokenizer, imageProcessor, numQueryTokens: numQueryTokens ?? config.numQueryTokens });
}
