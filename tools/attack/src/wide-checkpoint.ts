import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2ForConditionalGeneration } from '@blip2/blip2';
import { Blip2Config } from '@blip2/config';

/** A golden checkpoint, for its tokenizer and its configuration. The path is the same from `src` and `dist`. */
const SMALL: string = join(import.meta.dirname, '../../parity/cases/opt/checkpoint');
export const EXAMPLE_IMAGE: string = join(import.meta.dirname, '../../../examples/left-of.png');
const FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'preprocessor_config.json'];

/** Writes a checkpoint whose conversion takes a few hundred milliseconds, and whose runs take a few each. */
export async function writeWideCheckpoint(folder: string): Promise<void> {
  const json = JSON.parse(await readFile(join(SMALL, 'config.json'), 'utf8')) as Record<string, object>;
  const wide = {
    hidden_size: 512,
    ffn_dim: 2048,
    word_embed_proj_dim: 512,
    num_hidden_layers: 8,
    num_attention_heads: 8,
  };
  const config = { ...json, text_config: { ...json['text_config'], ...wide } };
  const model = await Blip2ForConditionalGeneration.fromConfig(Blip2Config.fromJson(config), { seed: 1 });
  await model.savePretrained(folder);
  await model.dispose();
  for (const file of FILES) await copyFile(join(SMALL, file), join(folder, file)).catch(() => undefined);
}
