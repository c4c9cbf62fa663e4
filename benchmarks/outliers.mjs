/**
 * What outliers cost at full size: node benchmarks/outliers.mjs [--shape opt-2.7b] [--checkpoint FOLDER] [--factor 100]
 * [--dtypes int8,q8,q4]. Copies the language model of a random
 * OPT checkpoint with features of every norm made many times as large and the columns that read them as much smaller:
 * the same model, as hard to quantise as those with outliers
 * (arXiv 2208.07339). Then the relative error of the scores of 40 positions against float32, plain and planted, with
 * what is folded into norms while converting and without, and the bytes
 * of the converted files. Writes results/outliers-SHAPE.json. Needs the size of the language model on the disk once
 * more, and its precisions.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { convertedWeights, saveCheckpoint, storedTensorSource } from '@blip2/checkpoint';
import { OptConfig, readConfig } from '@blip2/config';
import { createOptForCausalLM, planLanguage } from '@blip2/language';
import { openPartWeights } from '@blip2/part';

import { checkpointFolder } from './checkpoint-folder.mjs';
import { machine, versions } from './machine.mjs';
import { relativeError } from './statistics.mjs';

const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: 'opt-2.7b' },
    checkpoint: { type: 'string' },
    factor: { type: 'string', default: '100' },
    dtypes: { type: 'string', default: 'int8,q8,q4' },
    folder: { type: 'string', default: tmpdir() },
  },
});
/** Six features, as many as the larger OPT models are said to have. */
const FEATURES = [5, 77, 300, 511, 1024, 2001];
const POSITIONS = 40;
const FACTOR = Number(options.factor);
const source = checkpointFolder(options.shape, options.checkpoint);
const config = OptConfig.fromJson(await readConfig(source), source);
const scratch = await mkdtemp(join(options.folder, 'blip2-outliers-'));

try {
  const plain = await openPartWeights(source, 'language_model');
  await saveCheckpoint(
    join(scratch, 'planted'),
    [...plain.store.tensors.values()].filter(({ name }) => name.startsWith(`${plain.prefix}.`)).map(plantedSource),
  );
  const planted = await openPartWeights(join(scratch, 'planted'), 'language_model');
  const plainScores = await scores(plain);
  const plantedScores = await scores(planted);
  const rows = [{ weights: 'planted', dtype: 'fp32', scoreErrorFromPlain: relativeError(plantedScores, plainScores) }];
  for (const [kind, weights, exact] of [
    ['plain', plain, plainScores],
    ['planted', planted, plantedScores],
  ]) {
    for (const dtype of options.dtypes.split(',')) {
      for (const folded of kind === 'planted' ? [true, false] : [true]) {
        const row = await atPrecision(weights, dtype, folded, exact);
        rows.push({ weights: kind, dtype, folded, ...row });
        console.log(JSON.stringify(rows.at(-1)));
      }
    }
  }
  const command = `node benchmarks/outliers.mjs --shape ${options.shape} --factor ${options.factor}`;
  await writeFile(
    fileURLToPath(new URL(`results/outliers-${options.shape}.json`, import.meta.url)),
    `${JSON.stringify({ command, machine: machine(), versions: versions(), features: FEATURES, factor: FACTOR, positions: POSITIONS, rows }, undefined, 2)}\n`,
  );
} finally {
  await rm(scratch, { recursive: true });
}

async function atPrecision({ store, prefix }, dtype, folded, exact) {
  const [plan] = planLanguage(config, { store, prefix }, dtype);
  const used = folded ? plan : plan.map(({ name, shape, precision }) => ({ name, shape, precision }));
  const convertedDir = join(scratch, 'cache');
  try {
    const converted = await convertedWeights(store, used, 'language_model', { convertedDir });
    const bytes = [
      ...converted.tensors.values(),
      ...[...converted.quantized.values()].flatMap(({ values, scales }) => [values, scales]),
    ].reduce((sum, { byteLength }) => sum + byteLength, 0);
    // What the runtime packs is of no use to a second process here.
    const { packedFolder: _, ...rest } = converted;
    return {
      convertedBytes: bytes,
      scoreError: relativeError(await scores({ store: rest, original: store, prefix }), exact),
    };
  } finally {
    await rm(convertedDir, { recursive: true, force: true });
  }
}

/** Scores of the last of some random tokens, and of all before. */
async function scores(weights) {
  const model = createOptForCausalLM(config, { ...weights, [Symbol.asyncDispose]: async () => {} });
  const inputIds = [Array.from({ length: POSITIONS }, (_, i) => 4 + ((i * 7919) % 50000))];
  const { logits } = await model.forward({ inputIds });
  await model.dispose();
  return logits.data;
}

/** A tensor of the checkpoint, planted with outliers where it is a norm's or reads one. */
function plantedSource(stored) {
  const copied = storedTensorSource(stored);
  const factor = /layers\.\d+\.(self_attn|final)_layer_norm\.(weight|bias)$/.test(stored.name)
    ? FACTOR
    : /layers\.\d+\.(self_attn\.[qkv]_proj|fc1)\.weight$/.test(stored.name)
      ? 1 / FACTOR
      : 1;
  if (factor === 1) return copied;
  const width = stored.shape.at(-1);
  return {
    ...copied,
    async *chunks(signal) {
      let index = 0;
      for await (const piece of copied.chunks(signal)) {
        const values = new Float32Array(piece.slice().buffer);
        for (let i = 0; i < values.length; i++) if (FEATURES.includes((index + i) % width)) values[i] *= factor;
        index += values.length;
        yield new Uint8Array(values.buffer);
      }
    },
  };
}
