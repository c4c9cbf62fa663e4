import { join } from 'node:path';

import {
  expectUsablePrompts,
  missingTensors,
  type ModelConfig,
  type ModelFolders,
  openWholeWeights,
  plannedFiles,
  readSourcesConfig,
  resolveSources,
  type SinglePart,
  singlePartOf,
  unexpectedTensors,
} from '@blip2/blip2';
import { type ModelWeights, openModelWeights } from '@blip2/checkpoint';
import { Blip2Config, InstructBlipConfig, readConfig } from '@blip2/config';
import { type ResolveOptions } from '@blip2/hub';
import { defined, type StoredTensor } from '@blip2/interfaces';

import { describeFailure, type Failure } from '../../failure.ts';
import { type ModelSource, sourcesIn } from '../../model/model-source.ts';
import type { CheckpointReport } from './checkpoint-report.ts';
import { architectureOf, configReport, languageSizes } from './config-report.ts';
import { expectedTensors, expectLoadable } from './expect-loadable.ts';
import { inspectPart } from './inspect-part.ts';
import { memoryReport } from './memory-report.ts';
import { openSource } from './open-source.ts';
import { byPrecision, PRECISIONS, precisionSize } from './precision-report.ts';
import { taskParts } from './task-parts.ts';
import { threadReport } from './thread-report.ts';
import { weightsReport } from './weights-report.ts';

/** Where a checkpoint is read from, and the adapters that are checked with it. */
export interface InspectSourceOptions extends ResolveOptions {
  readonly adapters?: readonly string[];
}

/**
 * Inspects a checkpoint. Reads the configuration and the headers of the weights, but no weights, except biases that
 * LAVIS stores in two halves. For a hub id that is not in the cache, these are read from the hub. Every reason why the
 * model cannot run is collected, not thrown.
 * @throws Blip2Error `MISSING_FILE` if the folder does not exist; as `resolveSource`.
 */
export async function inspectCheckpoint(
  source: ModelSource,
  { adapters: listed = [], ...options }: InspectSourceOptions,
): Promise<CheckpointReport> {
  await using opened = await openSource(source, options);
  const { download } = opened;
  const folder = typeof opened.folders === 'string' ? opened.folders : opened.folders.qformer;
  const adapters = [...opened.adapters, ...listed];
  const unsupported: Failure[] = [];
  const attempt = <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: unknown) => void unsupported.push(describeFailure(error)));
  const json = await attempt(readConfig(folder));
  const part = json && typeof opened.folders === 'string' ? await attempt(singlePart(json, opened.folders)) : undefined;
  const about = { model: sourcesIn(source).join(', '), ...defined({ architecture: architectureOf(json), download }) };
  if (part) return { ...about, ...(await inspectPart(folder, part, adapters)) };
  if (unsupported.length > 0) return { ...about, runs: [], unsupported };
  const folders = json === undefined ? undefined : await attempt(resolveSources(opened.folders, {}));
  const config = folders && (await attempt(readModelConfig(json, folders)));
  await using checkpoint = await attempt(
    // One folder is reported with all of its tensors, also those that no model reads.
    folders && typeof opened.folders !== 'string' ? openWholeWeights(folders) : openModelWeights(folder),
  );
  const tensors = checkpoint && ownTensors(checkpoint, config);
  const hasLanguageModel =
    config?.modelType === 'instructblip' ||
    config?.qformerConfig.useQformerTextInput === false ||
    !tensors ||
    tensors.some(({ name }) => /^language_(?:model|projection)\./.test(name));
  const expected = config && expectedTensors(config, hasLanguageModel);
  const promptFailure = config && hasLanguageModel ? promptFailureOf(config) : undefined;
  const use = !hasLanguageModel ? 'retrieval' : promptFailure ? 'features' : 'generation';
  if (config && checkpoint) await attempt(expectLoadable(opened.folders, config, checkpoint, { use, adapters }));
  const isLoadable = config !== undefined && checkpoint !== undefined && unsupported.length === 0;
  if (isLoadable && promptFailure) unsupported.push(promptFailure);
  // The conversion plan requires every tensor of the model, with its shape.
  const sizes =
    config && checkpoint && tensors && isLoadable
      ? byPrecision((precision) => precisionSize(plannedFiles(config, checkpoint, precision), checkpoint, tensors))
      : undefined;
  return {
    ...about,
    ...(config && configReport(config, hasLanguageModel)),
    ...(checkpoint && { origin: checkpoint.origin }),
    ...(checkpoint &&
      expected && {
        missing: missingTensors(expected, checkpoint.tensors),
        unexpected: unexpectedTensors(expected, checkpoint.tensors),
      }),
    ...(tensors && checkpoint && weightsReport(tensors, expected ?? [], checkpoint.files.length, sizes)),
    ...(config && sizes && { tasks: taskParts(config, hasLanguageModel, !promptFailure) }),
    runs: unsupported.length > 0 ? [] : PRECISIONS,
    ...(config &&
      tensors &&
      sizes && { memory: memoryReport(tensors, sizes, hasLanguageModel ? languageOf(config) : undefined) }),
    ...(sizes && { threads: await threadReport(tensors?.reduce((sum, { byteLength }) => sum + byteLength, 0) ?? 0) }),
    unsupported,
  };
}

/** Why the model can build no prompts, so that only the parts before the language model are of use. */
function promptFailureOf(config: ModelConfig): Failure | undefined {
  try {
    expectUsablePrompts(config);
    return undefined;
  } catch (error) {
    return describeFailure(error);
  }
}

/** The part that is alone in a folder, if it is not a whole model. */
async function singlePart(
  json: Awaited<ReturnType<typeof readConfig>>,
  folder: string,
): Promise<SinglePart['part'] | undefined> {
  return singlePartOf(json, join(folder, 'config.json'));
}

function languageOf({ textConfig, numQueryTokens }: ModelConfig): Parameters<typeof memoryReport>[2] {
  return { config: textConfig, promptLength: numQueryTokens };
}

async function readModelConfig(json: unknown, folders: ModelFolders): Promise<ModelConfig> {
  return Object(json).model_type === 'instructblip'
    ? readSourcesConfig(InstructBlipConfig, folders)
    : readSourcesConfig(Blip2Config, folders);
}

/** The tensors to count: a head that is tied to the token embedding would be counted twice. */
function ownTensors(
  checkpoint: Pick<ModelWeights, 'tensors'>,
  config: ModelConfig | undefined,
): readonly StoredTensor[] {
  const tied = config && languageSizes(config.textConfig).hasTiedHead;
  return [...checkpoint.tensors.values()].filter(({ name }) => !(tied && name === 'language_model.lm_head.weight'));
}
