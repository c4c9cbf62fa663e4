import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2ForConditionalGeneration } from '@blip2/blip2';
import { Blip2Config } from '@blip2/config';

import type { KillScenario } from './kill-scenario.ts';

/** A golden checkpoint, for its tokenizer and its configuration. The path is the same from `src` and `dist`. */
const SMALL: string = join(import.meta.dirname, '../../../parity/cases/opt/checkpoint');
const IMAGE: string = join(import.meta.dirname, '../../../../examples/left-of.png');
const FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'preprocessor_config.json'];

/** Writes a checkpoint whose conversion takes a few hundred milliseconds. */
async function writeCheckpoint(folder: string): Promise<void> {
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

/** The first use of a model in `int8`, which converts its weights. */
export const conversionScenario: KillScenario = {
  name: 'conversion',
  promise: 'After kills a conversion is complete, gives the results of an undisturbed one, and no other file stays.',
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'blip2-kills-'));
    const [model, cache, output] = [join(folder, 'model'), join(folder, 'cache'), join(folder, 'output.json')];
    await writeCheckpoint(model);
    let expected: string | undefined;
    const listing = async (): Promise<string> => {
      const entries = await readdir(cache, { recursive: true, withFileTypes: true });
      const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
      return JSON.stringify({ output: await readFile(output, 'utf8'), names: names.toSorted() });
    };
    return {
      command: [process.execPath, join(import.meta.dirname, 'conversion-job.js'), model, IMAGE, output],
      env: { BLIP2_CACHE: cache },
      reset: async () => {
        await rm(cache, { recursive: true, force: true });
        await writeFile(output, '');
      },
      verify: async () => {
        const got = await listing();
        expected ??= got;
        return got === expected ? undefined : `got ${got}, expected ${expected}`;
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  },
};
