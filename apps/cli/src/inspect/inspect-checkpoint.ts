import { join } from 'node:path';

import {
  missingTensors,
  type ModelConfig,
  modelTensors,
  RETRIEVAL_CONTENT,
  retrievalTensors,
  unexpectedTensors,
} from '@blip2/blip2';
import { type ModelWeights, openModelWeights } from '@blip2/checkpoint';
import { Blip2Config, InstructBlipConfig, readConfig, textFamily, type TextSizes } from '@blip2/config';
import { findModelFile } from '@blip2/files';
import { type ResolveOptions } from '@blip2/hub';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';

import { describeFailure, type Failure } from '../failure.ts';
import type { CheckpointReport, MemoryReport, Precision, PrecisionSize } from './checkpoint-report.ts';
import { type ExpectedTensor, expectWeights } from './expect-weights.ts';
import { machineMemory } from './machine-memory.ts';
import { openSource } from './open-source.ts';
import { PRECISIONS, precisionSize } from './precision-report.ts';
import { taskParts } from './task-parts.ts';
import { mappedBytes, partReports } from './weights-report.ts';

/**
 * Beside weights and cache, for the process and what an image leaves in it: measured at the opt-2.7b shape (benchmarks,
 * caption-fp32-opt-2.7b).
 */
const WORKING_BYTES = 300e6;
/** New tokens that the estimate of the cache allows for. */
const TYPICAL_NEW_TOKENS = 64;
const FLOAT32_BYTES = 4;

/**
 * Reads the configuration and the headers of the weights, and no weight but biases that LAVIS keeps in halves.
 * Everything that keeps the model from running is collected, not thrown.
 * Of a hub id that is not here configuration and headers are read where they are, and no weights. Throws `MISSING_FILE`
 * if there is no such folder, and as `resolveSource` does.
 */
export async function inspectCheckpoint(source: string, options: ResolveOptions): Promise<CheckpointReport> {
  await using opened = await openSource(source, options);
  const { folder, download } = opened;
  const unsupported: Failure[] = [];
  const attempt = <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: unknown) => void unsupported.push(describeFailure(error)));
  const json = await attempt(readConfig(folder));
  const config =
    json === undefined ? undefined : await attempt((async () => readModelConfig(json, join(folder, 'config.json')))());
  await using checkpoint = await attempt(openModelWeights(folder));
  const tensors = checkpoint && ownTensors(checkpoint, config);
  const hasLanguageModel =
    config?.modelType === 'instructblip' ||
    !tensors ||
    tensors.some(({ name }) => /^language_(?:model|projection)\./.test(name));
  const expected =
    config &&
    (config.modelType === 'instructblip' || hasLanguageModel
      ? modelTensors(config)
      : retrievalTensors(config, RETRIEVAL_CONTENT));
  await attempt(expectRunnable(folder, config, checkpoint, hasLanguageModel, expected));
  const architecture = architectureOf(json);
  // A plan looks for every tensor of the model by its shape.
  const sizes =
    config && checkpoint && tensors && unsupported.length === 0 ? sizesOf(config, checkpoint, tensors) : undefined;
  return {
    model: source,
    ...(architecture !== undefined && { architecture }),
    ...(config && configReport(config, hasLanguageModel)),
    ...(checkpoint && { origin: checkpoint.origin }),
    ...(checkpoint &&
      expected && {
        missing: missingTensors(expected, checkpoint.tensors),
        unexpected: unexpectedTensors(expected, checkpoint.tensors),
      }),
    ...(tensors && checkpoint && weightsReport(tensors, checkpoint.files.length, sizes)),
    ...(config && sizes && { tasks: taskParts(config, hasLanguageModel) }),
    ...(download && { download }),
    runs: unsupported.length > 0 ? [] : PRECISIONS,
    ...(config && tensors && sizes && { memory: memoryReport(config, tensors, hasLanguageModel, sizes) }),
    unsupported,
  };
}

/**
 * Throws for the first reason why `caption` and `ask`, or `match` of a retrieval checkpoint, would not work with a
 * model that can be read.
 */
async function expectRunnable(
  folder: string,
  config: ModelConfig | undefined,
  checkpoint: ModelWeights | undefined,
  hasLanguageModel: boolean,
  expected: readonly ExpectedTensor[] | undefined,
): Promise<void> {
  if (!hasLanguageModel && config?.qformerConfig.useQformerTextInput !== true) {
    throw new Blip2Error(
      'UNSUPPORTED_ARCHITECTURE',
      'The checkpoint has neither a language model nor a Q-Former that reads text, so there is nothing that it can do',
      { where: folder },
    );
  }
  if (expected && checkpoint) expectWeights(expected, checkpoint);
  for (const tokenizer of [
    'tokenizer.json',
    ...(config?.modelType === 'instructblip' ? [join('qformer_tokenizer', 'tokenizer.json')] : []),
  ]) {
    if ((await findModelFile(folder, tokenizer)) === undefined)
      throw new Blip2Error('MISSING_FILE', `The folder has no ${tokenizer}`, { where: join(folder, tokenizer) });
  }
}

function readModelConfig(json: unknown, where: string): ModelConfig {
  return Object(json).model_type === 'instructblip'
    ? InstructBlipConfig.fromJson(json, where)
    : Blip2Config.fromJson(json, where);
}

type Sizes = Readonly<Record<Precision, PrecisionSize>>;

function sizesOf(config: ModelConfig, checkpoint: ModelWeights, tensors: readonly StoredTensor[]): Sizes {
  return byPrecision((precision) => precisionSize(config, checkpoint, tensors, precision));
}

function byPrecision<T>(of: (precision: Precision) => T): Readonly<Record<Precision, T>> {
  return { fp32: of('fp32'), int8: of('int8'), q8: of('q8'), q4: of('q4'), fast: of('fast'), small: of('small') };
}

function architectureOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  if ('architectures' in json && Array.isArray(json.architectures) && typeof json.architectures[0] === 'string')
    return json.architectures[0];
  return 'model_type' in json && typeof json.model_type === 'string' ? json.model_type : undefined;
}

function configReport(config: ModelConfig, hasLanguageModel: boolean): Partial<CheckpointReport> {
  const { visionConfig, qformerConfig, textConfig, numQueryTokens } = config;
  const { imageSize, patchSize } = visionConfig;
  const sizes = {
    layers: { vision: visionConfig.numHiddenLayers, qformer: qformerConfig.numHiddenLayers },
    hiddenSizes: { vision: visionConfig.hiddenSize, qformer: qformerConfig.hiddenSize },
  };
  const image = { size: imageSize, patchSize, patches: Math.floor(imageSize / patchSize) ** 2 };
  if (!hasLanguageModel) return { image, tokens: { queries: numQueryTokens }, ...sizes };
  const { layers, maxPositions } = languageSizes(textConfig);
  return {
    languageModel: textConfig.modelType,
    image,
    tokens: {
      queries: numQueryTokens,
      vocabulary: textConfig.vocabSize,
      ...(maxPositions !== undefined && { positions: maxPositions }),
    },
    layers: { ...sizes.layers, language: layers },
    hiddenSizes: { ...sizes.hiddenSizes, language: textConfig.hiddenSize },
  };
}

function weightsReport(
  tensors: readonly StoredTensor[],
  files: number,
  sizes: Sizes | undefined,
): Partial<CheckpointReport> {
  const parts = partReports(tensors);
  const sum = (key: 'parameters' | 'bytes'): number => parts.reduce((total, part) => total + part[key], 0);
  return {
    files,
    parameters: sum('parameters'),
    parts,
    ...(sizes && {
      bytes: { stored: sum('bytes'), ...byPrecision((precision) => sizes[precision].bytes) },
      precisions: sizes,
    }),
  };
}

function memoryReport(
  config: ModelConfig,
  tensors: readonly StoredTensor[],
  hasLanguageModel: boolean,
  sizes: Sizes,
): MemoryReport {
  const machine = machineMemory();
  const { layers } = languageSizes(config.textConfig);
  const { hiddenSize } = config.textConfig;
  const positions = hasLanguageModel ? config.numQueryTokens + TYPICAL_NEW_TOKENS : 0;
  const cacheBytes = 2 * layers * hiddenSize * positions * FLOAT32_BYTES;
  const needs = byPrecision((precision) => {
    const neededBytes = sizes[precision].bytes + cacheBytes + WORKING_BYTES;
    return { neededBytes, fits: neededBytes <= machine.totalBytes };
  });
  return { ...needs.fp32, mappedBytes: mappedBytes(tensors), ...machine, byPrecision: needs };
}

function languageSizes(config: ModelConfig['textConfig']): TextSizes {
  return textFamily(config.modelType).sizes(config);
}

/** The tensors that count: a head that is tied to the word embeddings is the same weights once more. */
function ownTensors(checkpoint: ModelWeights, config: ModelConfig | undefined): readonly StoredTensor[] {
  const tied = config && languageSizes(config.textConfig).hasTiedHead;
  return [...checkpoint.tensors.values()].filter(({ name }) => !(tied && name === 'language_model.lm_head.weight'));
}
