import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2ForConditionalGeneration } from '@blip2/blip2';
import type { Initializer } from '@blip2/checkpoint';
import { Blip2Config } from '@blip2/config';
import { mustBe } from '@blip2/interfaces';

import { repositoryPath } from '../repository.ts';
import { type Shape, shapeNamed } from './shapes.ts';

const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];
const PIXEL_STATISTICS = {
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};

/**
 * `random-checkpoint.js SHAPE FOLDER`: writes a checkpoint with random weights in the Hugging Face layout. Tokenizer
 * and
 * image processor are those of a demo checkpoint, so that it loads; the generated text is meaningless.
 */
export async function command([name = '', folder]: readonly string[]): Promise<void> {
  const shape = shapeNamed(name);
  if (folder === undefined) throw mustBe('the second argument', 'a folder', folder);
  const started = performance.now();
  await mkdir(folder, { recursive: true });
  const model = await Blip2ForConditionalGeneration.fromConfig(Blip2Config.fromJson(shape.config), {
    seed: 1,
    initializer,
    folder,
  });
  await model.savePretrained(folder);
  await model.dispose();
  await writeProcessor(folder, shape);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const peakMiB = (process.resourceUsage().maxRSS / 1024).toFixed(0);
  console.log(`${folder} in ${seconds} s, peak memory ${peakMiB} MiB`);
}

/**
 * Weights of ordinary size. The default for the vision encoder is so close to zero that denormal numbers would slow the
 * arithmetic down.
 */
function initializer(name: string): Initializer {
  if (/norm[^.]*\.weight$/i.test(name)) return { kind: 'ones' };
  return name.endsWith('.bias') ? { kind: 'zeros' } : { kind: 'normal', std: 0.02 };
}

async function writeProcessor(folder: string, { demo, imageSize, config }: Shape): Promise<void> {
  const write = (file: string, value: unknown): Promise<void> =>
    writeFile(join(folder, file), JSON.stringify(value, undefined, 2));
  for (const file of TOKENIZER_FILES)
    await copyFile(repositoryPath(`apps/cli/models/${demo}/${file}`), join(folder, file));
  const size = { height: imageSize, width: imageSize };
  await write('preprocessor_config.json', { image_processor_type: 'BlipImageProcessor', size, ...PIXEL_STATISTICS });
  await write('processor_config.json', {
    num_query_tokens: config.num_query_tokens,
    processor_class: 'Blip2Processor',
  });
}
