import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openModelWeights, saveCheckpoint, type SaveOptions, storedTensorSource } from '@blip2/checkpoint';
import { writeConfig } from '@blip2/config';
import { expectKnownOptions, type StoredTensor } from '@blip2/interfaces';
import { openPartWeights, type PartWeights, pathStart, SAVE_OPTIONS, torchDtype } from '@blip2/part';
import { processorFolder, type ProcessorSources } from '@blip2/processor';
import { visionFamily } from '@blip2/vision';

import { copyCompanions } from './companion-files.ts';
import { configJson, type ModelConfig } from './model-config.ts';
import type { SaveModelOptions } from './save-model.ts';

/** A part that writes its own weights. */
export interface SavablePart {
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
}

/** The parts of a whole model, each of which writes its own weights. */
export interface SavableParts {
  readonly vision: SavablePart;
  readonly qformer: SavablePart;
  readonly projection: SavablePart;
  readonly language: SavablePart;
}

/**
 * Writes a whole model from parts that may come from different checkpoints, or be in other threads. Each part is
 * written to a temporary folder first, so that the disk holds the weights twice.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `WRITE_FAILED`; those of the processor's source.
 */
export async function saveParts(
  parts: SavableParts,
  config: ModelConfig,
  target: string,
  options: SaveModelOptions = {},
  processor?: ProcessorSources,
): Promise<void> {
  expectKnownOptions('savePretrained', options, SAVE_OPTIONS);
  const scratch = await mkdtemp(join(tmpdir(), 'blip2-parts-'));
  try {
    const at = (part: keyof SavableParts): string => join(scratch, part);
    for (const part of ['vision', 'qformer', 'projection', 'language'] as const)
      await parts[part].savePretrained(at(part));
    const { paths } = visionFamily(config.visionConfig.modelType).part;
    await using vision = await openPartWeights(at('vision'), ...paths, 'vision_model');
    await using language = await openPartWeights(at('language'), 'language_model');
    await using qformer = await openModelWeights(at('qformer'));
    await using projection = await openModelWeights(at('projection'));
    const tensors = [
      ...below('vision_model', vision),
      ...[...qformer.tensors.values()].map((tensor) => renamed(tensor, qformerName(tensor.name))),
      ...projection.tensors.values(),
      ...below('language_model', language),
    ];
    await saveCheckpoint(
      target,
      tensors.map((tensor) => storedTensorSource(tensor)),
      options,
    );
    await writeConfig(target, configJson(config, options.dtype ?? torchDtype(tensors)));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  if (!processor) return;
  const [images, text] = [await processorFolder(processor.images), await processorFolder(processor.text)];
  await copyCompanions({ images, processor: text }, target);
}

/** The tensors of a part, below another path. */
function below(path: string, { store, prefix }: PartWeights): StoredTensor[] {
  const start = pathStart(prefix);
  return [...store.tensors.values()]
    .filter(({ name }) => name.startsWith(start))
    .map((tensor) => renamed(tensor, `${path}.${tensor.name.slice(start.length)}`));
}

/** A Q-Former that was saved alone is at the root of its checkpoint. */
function qformerName(name: string): string {
  return name === 'query_tokens' || /^(?:qformer|embeddings)\./.test(name) ? name : `qformer.${name}`;
}

function renamed(tensor: StoredTensor, name: string): StoredTensor {
  return { ...tensor, name };
}
