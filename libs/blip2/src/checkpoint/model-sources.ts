import { openModelWeights } from '@blip2/checkpoint';
import { Blip2Config, Blip2VisionConfig, readConfig, TextConfig } from '@blip2/config';
import { resolveSource } from '@blip2/hub';

import type { LoadOptions } from '../parts/load-options.ts';

/**
 * Where the parts of one model come from: folders, or ids of the hub. The checkpoints of LAVIS, for example, hold
 * neither the frozen encoder nor the language model.
 * Each needs a `config.json` in the Hugging Face layout, of the part alone or of a whole model.
 */
export interface ModelSources {
  /** Q-Former, queries, projection, and the configuration of the whole. */
  readonly qformer: string;
  /** The encoder. Default: that of the Q-Former, as for the two below. */
  readonly vision?: string;
  /** The language model, whose architecture its own `config.json` says. */
  readonly language?: string;
  /** Tokenizer and image processor. */
  readonly processor?: string;
}

/** The same as folders on this machine. */
export interface ModelFolders extends Required<ModelSources> {
  /** Whose final norm the vision encoder takes, where that is not its own. */
  readonly finalNorm?: string;
}

/** One source for everything, or one for each part. @throws Blip2Error `MISSING_FILE`, and as a download fails. */
export async function resolveSources(source: string | ModelSources, options: LoadOptions): Promise<ModelFolders> {
  if (typeof source === 'string') return sameFolder(await resolveSource(source, options));
  const qformer = await resolveSource(source.qformer, options);
  const resolved = async (part: string | undefined): Promise<string> =>
    part === undefined ? qformer : resolveSource(part, options);
  const folders = {
    qformer,
    vision: await resolved(source.vision),
    language: await resolved(source.language),
    processor: await resolved(source.processor),
  };
  return { ...folders, ...(folders.vision !== qformer && (await holdsTrainedNorm(qformer)) && { finalNorm: qformer }) };
}

export function sameFolder(folder: string): ModelFolders {
  return { qformer: folder, vision: folder, language: folder, processor: folder };
}

/** LAVIS trains the norm behind the frozen encoder (`ln_vision`) with the Q-Former, and stores it there. */
async function holdsTrainedNorm(folder: string): Promise<boolean> {
  await using weights = await openModelWeights(folder, () => false);
  return weights.origin === 'lavis' && weights.tensors.has('vision_model.post_layernorm.weight');
}

/** The configuration of the whole, with encoder and language model as their own sources describe them. */
export async function readSourcesConfig({ qformer, vision, language }: ModelFolders): Promise<Blip2Config> {
  const config = Blip2Config.fromJson(await readConfig(qformer), qformer);
  if (vision === qformer && language === qformer) return config;
  const visionConfig = Blip2VisionConfig.fromJson(await readConfig(vision), vision);
  const textConfig = TextConfig.fromJson(await readConfig(language), language);
  return Blip2Config.create({ ...config, visionConfig, textConfig });
}
