/**
 * Writes a checkpoint of random weights in the hub layout, of a shape of shapes.mjs: node
 * benchmarks/make-random-checkpoint.mjs opt-2.7b FOLDER
 * The tokenizer and image processor are the demo checkpoint's, so that it loads; what it says means nothing.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Blip2ForConditionalGeneration } from '@blip2/blip2';
import { Blip2Config } from '@blip2/config';

import { SHAPES } from './shapes.mjs';

const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

const [shape, folder] = process.argv.slice(2);
if (!SHAPES[shape] || !folder)
  throw new TypeError(`usage: make-random-checkpoint.mjs ${Object.keys(SHAPES).join('|')} FOLDER`);

const { config, demo: demoName, imageSize } = SHAPES[shape];
const demo = fileURLToPath(new URL(`../apps/cli/models/${demoName}/`, import.meta.url));
const started = performance.now();
await mkdir(folder, { recursive: true });
// Lively weights: near-zero ones, the reference's for vision, would run through other code paths of the processor
// (denormals).
const initializer = (name) =>
  /norm[^.]*\.weight$/i.test(name)
    ? { kind: 'ones' }
    : name.endsWith('.bias')
      ? { kind: 'zeros' }
      : { kind: 'normal', std: 0.02 };
const model = await Blip2ForConditionalGeneration.fromConfig(Blip2Config.fromJson(config), {
  seed: 1,
  initializer,
  folder,
});
await model.savePretrained(folder);
await model.dispose();
for (const name of TOKENIZER_FILES) await copyFile(join(demo, name), join(folder, name));
const pixels = { image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] };
await writeFile(
  join(folder, 'preprocessor_config.json'),
  JSON.stringify(
    { image_processor_type: 'BlipImageProcessor', size: { height: imageSize, width: imageSize }, ...pixels },
    undefined,
    2,
  ),
);
await writeFile(
  join(folder, 'processor_config.json'),
  JSON.stringify({ num_query_tokens: config.num_query_tokens, processor_class: 'Blip2Processor' }, undefined, 2),
);
console.log(
  `${folder} in ${((performance.now() - started) / 1000).toFixed(0)} s, largest resident set ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
);
