import { missingTensors, modelTensors, retrievalContent, retrievalTensors, unexpectedTensors } from '@blip2/blip2';
import { openModelWeights, resolveSource, type ModelWeights, type ResolveOptions } from '@blip2/checkpoint';
import { Blip2Config, readConfig } from '@blip2/config';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { describeFailure, type Failure } from '../failure.ts';
import type { CheckpointReport, MemoryReport, Precision } from './checkpoint-report.ts';
import { machineMemory } from './machine-memory.ts';
import { expectWeights, type ExpectedTensor } from './expect-weights.ts';
import { bytesByPrecision, mappedBytes, partReports } from './weights-report.ts';

/** What this version runs. */
const RUNNING_PRECISIONS: readonly Precision[] = ['fp32'];
/** New tokens that the estimate of the cache allows for. */
const TYPICAL_NEW_TOKENS = 64;
const FLOAT32_BYTES = 4;

/**
 * Reads the configuration and the headers of the weights, and no weight but biases that LAVIS keeps in halves. Everything that keeps the model from running is collected, not thrown.
 * A hub id is downloaded first. Throws `MISSING_FILE` if there is no such folder, and as `resolveSource` does.
 */
export async function inspectCheckpoint(source: string, options: ResolveOptions): Promise<CheckpointReport> {
  const folder = await resolveSource(source, options);
  const unsupported: Failure[] = [];
  const attempt = <T>(work: Promise<T>): Promise<T | undefined> => work.catch((error: unknown) => void unsupported.push(describeFailure(error)));
  const json = await attempt(readConfig(folder));
  const config = json === undefined ? undefined : await attempt((async () => Blip2Config.fromJson(json, join(folder, 'config.json')))());
  await using checkpoint = await attempt(openModelWeights(folder));
  const tensors = checkpoint && ownTensors(checkpoint, config);
  const hasLanguageModel = !tensors || tensors.some(({ name }) => /^language_(?:model|projection)\./.test(name));
  const expected = config && (hasLanguageModel ? modelTensors(config) : retrievalTensors(config, retrievalContent));
  await attempt(expectRunnable(folder, config, checkpoint, hasLanguageModel, expected));
  const architecture = architectureOf(json);
  return {
    model: source,
    ...(architecture !== undefined && { architecture }),
    ...(config && configReport(config, hasLanguageModel)),
    ...(checkpoint && { origin: checkpoint.origin }),
    ...(checkpoint && expected && { missing: missingTensors(expected, checkpoint.tensors), unexpected: unexpectedTensors(expected, checkpoint.tensors) }),
    ...(tensors && checkpoint && weightsReport(tensors, checkpoint.files.length)),
    runs: unsupported.length > 0 ? [] : RUNNING_PRECISIONS,
    ...(config && tensors && { memory: memoryReport(config, tensors, hasLanguageModel) }),
    unsupported,
  };
}

/** Throws for the first reason why `caption` and `ask`, or `match` of a retrieval checkpoint, would not work with a model that can be read. */
async function expectRunnable(folder: string, config: Blip2Config | undefined, checkpoint: ModelWeights | undefined, hasLanguageModel: boolean, expected: readonly ExpectedTensor[] | undefined): Promise<void> {
  if (!hasLanguageModel && config?.qformerConfig.useQformerTextInput !== true) {
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The checkpoint has neither a language model nor a Q-Former that reads text, so there is nothing that it can do', { where: folder });
  }
  if (expected && checkpoint) expectWeights(expected, checkpoint);
  const tokenizer = join(folder, 'tokenizer.json');
  await access(tokenizer).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'The folder has no tokenizer.json', { where: tokenizer, cause });
  });
}

function architectureOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  if ('architectures' in json && Array.isArray(json.architectures) && typeof json.architectures[0] === 'string') return json.architectures[0];
  return 'model_type' in json && typeof json.model_type === 'string' ? json.model_type : undefined;
}

function configReport(config: Blip2Config, hasLanguageModel: boolean): Partial<CheckpointReport> {
  const { visionConfig, qformerConfig, textConfig, numQueryTokens } = config;
  const { imageSize, patchSize } = visionConfig;
  const sizes = { layers: { vision: visionConfig.numHiddenLayers, qformer: qformerConfig.numHiddenLayers }, hiddenSizes: { vision: visionConfig.hiddenSize, qformer: qformerConfig.hiddenSize } };
  const image = { size: imageSize, patchSize, patches: Math.floor(imageSize / patchSize) ** 2 };
  if (!hasLanguageModel) return { image, tokens: { queries: numQueryTokens }, ...sizes };
  const language = languageSizes(textConfig);
  return {
    languageModel: textConfig.modelType,
    image,
    tokens: { queries: numQueryTokens, vocabulary: textConfig.vocabSize, ...(textConfig.modelType !== 't5' && { positions: textConfig.maxPositionEmbeddings }) },
    layers: { ...sizes.layers, language: language.layers },
    hiddenSizes: { ...sizes.hiddenSizes, language: language.hiddenSize },
  };
}

function weightsReport(tensors: readonly StoredTensor[], files: number): Partial<CheckpointReport> {
  const parts = partReports(tensors);
  const sum = (key: 'parameters' | 'bytes'): number => parts.reduce((total, part) => total + part[key], 0);
  return { files, parameters: sum('parameters'), parts, bytes: { stored: sum('bytes'), ...bytesByPrecision(tensors) } };
}

function memoryReport(config: Blip2Config, tensors: readonly StoredTensor[], hasLanguageModel: boolean): MemoryReport {
  const machine = machineMemory();
  const { layers, hiddenSize } = languageSizes(config.textConfig);
  const positions = hasLanguageModel ? config.numQueryTokens + TYPICAL_NEW_TOKENS : 0;
  const cacheBytes = 2 * layers * hiddenSize * positions * FLOAT32_BYTES;
  const neededBytes = bytesByPrecision(tensors).fp32 + cacheBytes;
  return { neededBytes, mappedBytes: mappedBytes(tensors), ...machine, fits: neededBytes <= machine.totalBytes };
}

function languageSizes(config: Blip2Config['textConfig']): { readonly layers: number; readonly hiddenSize: number } {
  return config.modelType === 't5' ? { layers: config.numLayers, hiddenSize: config.dModel } : { layers: config.numHiddenLayers, hiddenSize: config.hiddenSize };
}

/** The tensors that count: a head that is tied to the word embeddings is the same weights once more. */
function ownTensors(checkpoint: ModelWeights, config: Blip2Config | undefined): readonly StoredTensor[] {
  const tied = config && config.textConfig.modelType !== 't5' && config.textConfig.tieWordEmbeddings;
  return [...checkpoint.tensors.values()].filter(({ name }) => !(tied && name === 'language_model.lm_head.weight'));
}
