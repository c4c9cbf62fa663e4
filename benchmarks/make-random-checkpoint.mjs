/**
 * Writes a full-size checkpoint of random weights in the hub layout: node benchmarks/make-random-checkpoint.mjs opt-2.7b FOLDER
 * The tokenizer and image processor are the demo checkpoint's, so that it loads; what it says means nothing.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Blip2ForConditionalGeneration } from '@blip2/blip2';
import { Blip2Config } from '@blip2/config';

/** The stock repositories' config.json, without what is default anyway. */
const SHAPES = {
  'opt-2.7b': {
    model_type: 'blip-2',
    image_token_index: 446,
    num_query_tokens: 32,
    vision_config: { model_type: 'blip_2_vision_model' },
    qformer_config: { model_type: 'blip_2_qformer' },
    text_config: {
      model_type: 'opt', hidden_size: 2560, num_hidden_layers: 32, num_attention_heads: 32, ffn_dim: 10240, word_embed_proj_dim: 2560, vocab_size: 50304, eos_token_id: 50118,
    },
  },
  'flan-t5-xl': {
    model_type: 'blip-2',
    image_token_index: 268,
    num_query_tokens: 32,
    vision_config: { model_type: 'blip_2_vision_model' },
    qformer_config: { model_type: 'blip_2_qformer' },
    text_config: {
      model_type: 't5', d_model: 2048, d_ff: 5120, d_kv: 64, num_layers: 24, num_heads: 32, vocab_size: 32128, bos_token_id: 1, decoder_start_token_id: 0,
      feed_forward_proj: 'gated-gelu', dense_act_fn: 'gelu', tie_word_embeddings: false,
    },
  },
};
/** The demo checkpoint whose tokenizer goes with each shape. */
const DEMOS = { 'opt-2.7b': 'blip2-opt-shapes', 'flan-t5-xl': 'blip2-t5-shapes' };
const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

const [shape, folder] = process.argv.slice(2);
const json = SHAPES[shape];
if (!json || !folder) throw new TypeError(`usage: make-random-checkpoint.mjs ${Object.keys(SHAPES).join('|')} FOLDER`);

const demo = fileURLToPath(new URL(`../apps/cli/models/${DEMOS[shape]}/`, import.meta.url));
const started = performance.now();
await mkdir(folder, { recursive: true });
// Lively weights: near-zero ones, the reference's for vision, would run through other code paths of the processor (denormals).
const initializer = (name) => (/norm[^.]*\.weight$/i.test(name) ? { kind: 'ones' } : name.endsWith('.bias') ? { kind: 'zeros' } : { kind: 'normal', std: 0.02 });
const model = await Blip2ForConditionalGeneration.fromConfig(Blip2Config.fromJson(json), { seed: 1, initializer, folder });
await model.savePretrained(folder);
await model.dispose();
for (const name of TOKENIZER_FILES) await copyFile(join(demo, name), join(folder, name));
const pixels = { image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] };
await writeFile(join(folder, 'preprocessor_config.json'), JSON.stringify({ image_processor_type: 'BlipImageProcessor', size: { height: 224, width: 224 }, ...pixels }, undefined, 2));
await writeFile(join(folder, 'processor_config.json'), JSON.stringify({ num_query_tokens: 32, processor_class: 'Blip2Processor' }, undefined, 2));
console.log(`${folder} in ${((performance.now() - started) / 1000).toFixed(0)} s, largest resident set ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
