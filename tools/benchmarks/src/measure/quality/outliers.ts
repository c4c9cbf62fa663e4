import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { convertedWeights, saveCheckpoint, storedTensorSource, type TensorSource } from '@blip2/checkpoint';
import { OptConfig, readConfig } from '@blip2/config';
import type { PrecisionChoice, StoredTensor, WeightStore } from '@blip2/interfaces';
import { createOptForCausalLM, planLanguage } from '@blip2/language';
import { openPartWeights, type PartWeights } from '@blip2/part';

import { relativeError } from '../../report/statistics.ts';
import { resultPath } from '../../repository.ts';
import { checkpointFolder } from '../../shapes/checkpoint-folder.ts';
import { resultText } from '../json-program.ts';
import { machine, versions } from '../machine.ts';

/** Six outlier features, as many as reported for the larger OPT models. */
const FEATURES = [5, 77, 300, 511, 1024, 2001];
const POSITIONS = 40;
/** Norms whose output has the planted features, and the layers that consume them. */
const PLANTED_NORM = /layers\.\d+\.(self_attn|final)_layer_norm\.(weight|bias)$/;
const PLANTED_LINEAR = /layers\.\d+\.(self_attn\.[qkv]_proj|fc1)\.weight$/;

/** What one precision costs, and the options of the measurement. */
interface Setting {
  readonly config: OptConfig;
  readonly dtype: string;
  /** Whether scales are folded into norms during conversion. */
  readonly folded: boolean;
  readonly convertedDir: string;
}

/**
 * `outliers.js [--shape opt-2.7b] [--checkpoint FOLDER] [--factor 100] [--dtypes int8,q8,q4] [--folder FOLDER]`: the
 * cost of outlier features at full size. Copies the language model of a random OPT checkpoint with some features of
 * every norm multiplied by the factor and the columns that read them divided by it: the same function, but as hard to
 * quantize as a model with outliers (arXiv 2208.07339). Measures the relative error of the logits of 40 positions
 * against float32 for both models, with and without scales folded into norms, and the size of the converted files.
 * Writes `results/outliers-SHAPE.json`. The folder needs space for the language model and its converted weights.
 */
export async function command(args: readonly string[]): Promise<void> {
  const { values: options } = parseArgs({
    args: [...args],
    options: {
      shape: { type: 'string', default: 'opt-2.7b' },
      checkpoint: { type: 'string' },
      factor: { type: 'string', default: '100' },
      dtypes: { type: 'string', default: 'int8,q8,q4' },
      folder: { type: 'string', default: tmpdir() },
    },
  });
  const factor = Number(options.factor);
  const source = checkpointFolder(options.shape, options.checkpoint);
  const config = OptConfig.fromJson(await readConfig(source), source);
  const scratch = await mkdtemp(join(options.folder, 'blip2-outliers-'));
  try {
    const rows = await measure(source, scratch, config, factor, options.dtypes.split(','));
    const command = `node tools/benchmarks/bin/outliers.js --shape ${options.shape} --factor ${options.factor}`;
    const planted = { features: FEATURES, factor, positions: POSITIONS };
    const result = { command, machine: machine(), versions: versions(), ...planted, rows };
    await writeFile(resultPath(`outliers-${options.shape}.json`), resultText(result));
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function measure(
  source: string,
  scratch: string,
  config: OptConfig,
  factor: number,
  dtypes: readonly string[],
): Promise<readonly object[]> {
  const plain = await openPartWeights(source, 'language_model');
  const copied = [...plain.store.tensors.values()].filter(({ name }) => name.startsWith(`${plain.prefix}.`));
  const plantedFolder = join(scratch, 'planted');
  await saveCheckpoint(
    plantedFolder,
    copied.map((stored) => withOutliers(stored, factor)),
  );
  const planted = await openPartWeights(plantedFolder, 'language_model');
  const exact = { plain: await logitsOf(config, plain), planted: await logitsOf(config, planted) };
  const rows: object[] = [
    { weights: 'planted', dtype: 'fp32', scoreErrorFromPlain: relativeError(exact.planted, exact.plain) },
  ];
  for (const [kind, weights] of Object.entries({ plain, planted })) {
    for (const dtype of dtypes) {
      for (const folded of kind === 'planted' ? [true, false] : [true]) {
        const setting = { config, dtype, folded, convertedDir: join(scratch, 'cache') };
        const row = await atPrecision(weights, setting, kind === 'planted' ? exact.planted : exact.plain);
        rows.push({ weights: kind, dtype, folded, ...row });
        console.log(JSON.stringify(rows.at(-1)));
      }
    }
  }
  return rows;
}

async function atPrecision(
  { store, prefix }: PartWeights,
  { config, dtype, folded, convertedDir }: Setting,
  exact: Float32Array,
): Promise<{ readonly convertedBytes: number; readonly scoreError: number }> {
  const [plan = []] = planLanguage(config, { store, prefix }, dtype as PrecisionChoice);
  const used = folded ? plan : plan.map(({ name, shape, precision }) => ({ name, shape, precision }));
  try {
    const converted = await convertedWeights(store, used, 'language_model', { convertedDir });
    // Prepacked weights are not cached: no second process would use them.
    const { packedFolder: _packedFolder, ...rest } = converted;
    const logits = await logitsOf(config, { store: rest, original: store, prefix });
    return { convertedBytes: bytesOf(converted), scoreError: relativeError(logits, exact) };
  } finally {
    await rm(convertedDir, { recursive: true, force: true });
  }
}

function bytesOf({ tensors, quantized }: WeightStore): number {
  const quantizedParts = [...(quantized?.values() ?? [])].flatMap(({ values, scales }) => [values, scales]);
  return [...tensors.values(), ...quantizedParts].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Logits of all positions of some random token ids. */
async function logitsOf(
  config: OptConfig,
  weights: Omit<PartWeights, typeof Symbol.asyncDispose>,
): Promise<Float32Array> {
  // The weights are used again: the model must not close them.
  const model = createOptForCausalLM(config, { ...weights, [Symbol.asyncDispose]: async () => {} });
  const inputIds = [Array.from({ length: POSITIONS }, (_, i) => 4 + ((i * 7919) % 50000))];
  const { logits } = await model.forward({ inputIds });
  await model.dispose();
  return logits.data;
}

/** A tensor of the checkpoint; scaled if it belongs to a norm or reads one. */
function withOutliers(stored: StoredTensor, factor: number): TensorSource {
  const copied = storedTensorSource(stored);
  const scale = PLANTED_NORM.test(stored.name) ? factor : PLANTED_LINEAR.test(stored.name) ? 1 / factor : 1;
  if (scale === 1) return copied;
  const width = stored.shape.at(-1) ?? 1;
  return {
    ...copied,
    async *chunks(signal) {
      let index = 0;
      for await (const piece of copied.chunks(signal)) {
        const values = new Float32Array(piece.slice().buffer);
        for (let i = 0; i < values.length; i++) if (FEATURES.includes((index + i) % width)) values[i]! *= scale;
        index += values.length;
        yield new Uint8Array(values.buffer);
      }
    },
  };
}
