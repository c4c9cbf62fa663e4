import { existsSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

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

/** Copies the files of a model other than configuration and weights, as far as they exist. */
export async function copyCompanions(folder: string, target: string): Promise<void> {
  for (const name of COMPANIONS) {
    if (!existsSync(join(folder, name)) || join(folder, name) === join(target, name)) continue;
    await mkdir(dirname(join(target, name)), { recursive: true });
    await copyFile(join(folder, name), join(target, name));
  }
}
