import { existsSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { saveImageSettings } from '@blip2/processor';

import type { ModelFolders } from './model-sources.ts';

/** Files of a model other than configuration and weights. */
const COMPANIONS: readonly string[] = [
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'vocab.txt',
  'spiece.model',
  'generation_config.json',
  'qformer_tokenizer/tokenizer.json',
  'qformer_tokenizer/tokenizer_config.json',
  'qformer_tokenizer/special_tokens_map.json',
  'qformer_tokenizer/added_tokens.json',
  'qformer_tokenizer/vocab.txt',
];

const IMAGE_SETTINGS = 'preprocessor_config.json';

/**
 * Copies the files of a model other than configuration and weights, as far as they exist, with the image settings of
 * the vision encoder's source.
 */
export async function copyCompanions(
  { processor, images }: Pick<ModelFolders, 'processor' | 'images'>,
  target: string,
): Promise<void> {
  const isSplit = images !== processor;
  for (const name of COMPANIONS) {
    if (isSplit && name === IMAGE_SETTINGS) continue;
    if (!existsSync(join(processor, name)) || join(processor, name) === join(target, name)) continue;
    await mkdir(dirname(join(target, name)), { recursive: true });
    await copyFile(join(processor, name), join(target, name));
  }
  if (isSplit) await saveImageSettings(images, target);
}
