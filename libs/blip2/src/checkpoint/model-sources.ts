import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { openModelWeights } from '@blip2/checkpoint';
import { readConfig, TextConfig, VisionConfig } from '@blip2/config';
import type { ResolveOptions } from '@blip2/hub';
import { Blip2Error } from '@blip2/interfaces';
import { readImageSettings } from '@blip2/processor';
import { visionFamily } from '@blip2/vision';

import type { ConfigReader, ModelConfig } from './model-config.ts';
import { withoutAdapters } from './source-adapters.ts';
import { expectSources, type ModelSources } from './sources.ts';

export { expectSources, type ModelSources } from './sources.ts';

/** The sources as local folders. */
export interface ModelFolders extends Required<ModelSources> {
  /** The folder with the settings of the image processor. `processor` is that of the tokenizer. */
  readonly images: string;
  /** The folder with the final norm of the vision encoder, if it is not the encoder's own. */
  readonly finalNorm?: string;
}

/**
 * Resolves one source for everything, or one per part, to local folders. Hub ids are downloaded. A source that holds
 * only an adapter stands for its base.
 * @throws Blip2Error `MISSING_FILE`; for a Hub id `NOT_FOUND`, `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`,
 * `INTEGRITY_FAILED`.
 */
export async function resolveSources(source: string | ModelSources, options: ResolveOptions): Promise<ModelFolders> {
  expectSources(source);
  const { sources } = await withoutAdapters(source, options);
  if (typeof sources === 'string') return sameFolder(sources);
  const { qformer, vision = qformer, language = qformer } = sources;
  const hasTokenizer = language !== qformer && existsSync(join(language, 'tokenizer.json'));
  const processor = sources.processor ?? (hasTokenizer ? language : qformer);
  const images = await imageSettingsFolder({ qformer, vision, processor }, sources.processor !== undefined);
  const folders = { qformer, vision, language, processor, images };
  if (vision === qformer || !(await holdsTrainedNorm(qformer))) return folders;
  await expectOwnEncoder(vision);
  return { ...folders, finalNorm: qformer };
}

/**
 * The folder with the settings of the image processor: that of the vision encoder, which was trained with them.
 * @throws Blip2Error `MISSING_FILE` for an encoder without settings, of a family with other settings than BLIP-2's.
 */
async function imageSettingsFolder(
  { qformer, vision, processor }: Pick<ModelFolders, 'qformer' | 'vision' | 'processor'>,
  isProcessorGiven: boolean,
): Promise<string> {
  if (vision !== qformer && (await readImageSettings(vision))) return vision;
  if (isProcessorGiven) return processor;
  if (vision === qformer || (await hasOwnEncoder(vision))) return qformer;
  throw new Blip2Error('MISSING_FILE', 'The vision encoder has no preprocessor_config.json', {
    where: vision,
    fix: 'Copy the file from the repository of the encoder, or pass the folder of another one as source.processor',
  });
}

/**
 * A norm that was trained with the Q-Former follows BLIP-2's encoder only: without it, features would be others than
 * those that the Q-Former was trained with.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`
 */
async function expectOwnEncoder(vision: string): Promise<void> {
  if (await hasOwnEncoder(vision)) return;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The source of the Q-Former has a norm of its own encoder', {
    where: vision,
    expected: 'an encoder of BLIP-2, such as that of EVA-CLIP ViT-g',
    fix: 'Use a Q-Former in the layout of Hugging Face Transformers',
  });
}

/** Whether a folder holds an encoder of BLIP-2's own family. */
async function hasOwnEncoder(vision: string): Promise<boolean> {
  const { modelType } = VisionConfig.fromJson(await readConfig(vision), vision);
  return visionFamily(modelType).part === visionFamily('blip_2_vision_model').part;
}

/** One folder as the source of every part. */
export function sameFolder(folder: string): ModelFolders {
  return { qformer: folder, vision: folder, language: folder, processor: folder, images: folder };
}

/** LAVIS trains the norm after the frozen encoder (`ln_vision`) with the Q-Former and stores it in its checkpoint. */
async function holdsTrainedNorm(folder: string): Promise<boolean> {
  await using weights = await openModelWeights(folder, () => false);
  return weights.origin === 'lavis' && weights.tensors.has('vision_model.post_layernorm.weight');
}

/**
 * The configuration of the whole model, with encoder and language model configured by their own sources. A language
 * model with its own tokenizer has no image token: the image comes before the text, as in legacy checkpoints.
 */
export async function readSourcesConfig<C extends ModelConfig>(
  { fromJson, create }: ConfigReader<C>,
  { qformer, vision, language, processor }: ModelFolders,
): Promise<C> {
  const config = fromJson(await readConfig(qformer), qformer);
  if (vision === qformer && language === qformer) return config;
  const visionConfig = VisionConfig.fromJson(await readConfig(vision), vision);
  const textConfig = TextConfig.fromJson(await readConfig(language), language);
  const { modelType, vocabSize } = config.textConfig;
  const hasOtherTokens =
    processor === language
      ? language !== qformer
      : textConfig.modelType !== modelType || textConfig.vocabSize !== vocabSize;
  // `C` is one of the two, whose parts have the same names.
  const parts = { ...config, visionConfig, textConfig } as Partial<C>;
  if (!hasOtherTokens) return create(parts);
  const { image_token_index: _, image_token_id: __, ...json } = config.json;
  return create({ ...parts, imageTokenIndex: undefined, json });
}
