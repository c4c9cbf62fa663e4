/** The report of a vision encoder or a language model that is a checkpoint of its own. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import {
  expectNoneMissing,
  expectUsableImages,
  expectUsableWeights,
  missingTensors,
  openSinglePart,
  type SinglePart,
  unexpectedTensors,
} from '@blip2/blip2';
import type { StoredTensor } from '@blip2/interfaces';
import { BlipImageProcessor, readImageSettings } from '@blip2/processor';

import { describeFailure, type Failure } from '../../failure.ts';
import type { CheckpointReport, TaskReport } from './checkpoint-report.ts';
import { languageSizes, partConfigReport } from './config-report.ts';
import { memoryReport } from './memory-report.ts';
import { byPrecision, PRECISIONS, precisionSize } from './precision-report.ts';
import { weightsReport } from './weights-report.ts';

/** Inspects a part. Reads no weights. Every reason why it cannot run is collected, not thrown. */
export async function inspectPart(
  folder: string,
  part: SinglePart['part'],
  adapters: readonly string[],
): Promise<Omit<CheckpointReport, 'model' | 'architecture' | 'download'>> {
  const unsupported: Failure[] = [];
  const attempt = <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: unknown) => void unsupported.push(describeFailure(error)));
  await using single = await attempt(openSinglePart(folder, part));
  if (!single) return { runs: [], unsupported };
  const { weights, expected, path, others } = single;
  // As the checkpoint of the part names them.
  const stored = (name: string): string => `${path === '' ? '' : `${path}.`}${name.slice(name.indexOf('.') + 1)}`;
  const missing = missingTensors(expected, weights.tensors);
  const names = missing.map(stored);
  await attempt(expectRunnable(folder, single, names, adapters));
  const tasks = (await attempt(tasksOf(folder, single))) ?? [];
  const tensors = ownTensors(single);
  const isLoadable = unsupported.length === 0;
  const sizes = isLoadable
    ? byPrecision((precision) => precisionSize(single.plannedFiles(precision), weights, tensors))
    : undefined;
  const language = single.part === 'language' ? { config: single.config, promptLength: 0 } : undefined;
  return {
    ...partConfigReport(single),
    origin: weights.origin,
    missing: names,
    unexpected: [...unexpectedTensors(expected, weights.tensors).map(stored), ...others],
    ...weightsReport(tensors, expected, weights.files.length, sizes),
    tasks,
    runs: isLoadable ? PRECISIONS : [],
    ...(sizes && { memory: memoryReport(tensors, sizes, language) }),
    unsupported,
  };
}

/** Loads the part as other commands do, and checks what they check on first use. */
async function expectRunnable(
  folder: string,
  { expected, weights, tryLoad }: SinglePart,
  missing: readonly string[],
  adapters: readonly string[],
): Promise<void> {
  expectNoneMissing(missing, expected, [folder]);
  await tryLoad({ threads: 1, adapters });
  expectUsableWeights(expected, weights);
}

/** The tensors to count: a head that is tied to the token embedding would be counted twice. */
function ownTensors({ part, config, weights }: SinglePart): readonly StoredTensor[] {
  const isTied = part === 'language' && languageSizes(config).hasTiedHead;
  return [...weights.tensors.values()].filter(({ name }) => !(isTied && name === 'language_model.lm_head.weight'));
}

/**
 * The commands that run the part alone. They need image settings or a tokenizer; without these, the part can be one of
 * the sources of a model.
 */
async function tasksOf(folder: string, { part, config }: SinglePart): Promise<readonly TaskReport[]> {
  if (part === 'language')
    return existsSync(join(folder, 'tokenizer.json')) ? [{ task: 'embed --part language', parts: [part] }] : [];
  if ((await readImageSettings(folder)) === undefined) return [];
  await expectUsableImages(await BlipImageProcessor.fromPretrained(folder), { visionConfig: config });
  return [{ task: 'embed --part vision', parts: [part] }];
}
