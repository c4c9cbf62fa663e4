import { openModelWeights } from '@blip2/checkpoint';
import { Blip2Config, Blip2VisionConfig, readConfig, TextConfig } from '@blip2/config';
import type { ResolveOptions } from '@blip2/hub';
import { expectKnownOptions, mustBe } from '@blip2/interfaces';
import { partFolder } from '@blip2/part';

/**
 * The sources of the parts of one model: folders or Hugging Face Hub ids. LAVIS checkpoints, for example, contain
 * neither the frozen encoder nor the language model. Each source needs a `config.json` in the Hugging Face layout, of
 * the part or of a whole model.
 */
export interface ModelSources {
  /** Q-Former, query tokens, projection, and the configuration of the whole model. */
  readonly qformer: string;
  /** Vision encoder. Default: the source of the Q-Former, as for the two below. */
  readonly vision?: string;
  /** Language model, of the architecture in its own `config.json`. */
  readonly language?: string;
  /** Tokenizer and image processor. */
  readonly processor?: string;
}

/** The sources as local folders. */
export interface ModelFolders extends Required<ModelSources> {
  /** The folder with the final norm of the vision encoder, if it is not the encoder's own. */
  readonly finalNorm?: string;
}

/**
 * Resolves one source per part to local folders. Hub ids are downloaded.
 * @throws Blip2Error `MISSING_FILE`; for a Hub id `NOT_FOUND`, `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`,
 * `INTEGRITY_FAILED`.
 */
export async function resolveSources(source: ModelSources, options: ResolveOptions): Promise<ModelFolders> {
  expectSources(source);
  const qformer = await partFolder(source.qformer, options);
  const resolved = async (part: string | undefined): Promise<string> =>
    part === undefined ? qformer : partFolder(part, options);
  const folders = {
    qformer,
    vision: await resolved(source.vision),
    language: await resolved(source.language),
    processor: await resolved(source.processor),
  };
  return { ...folders, ...(folders.vision !== qformer && (await holdsTrainedNorm(qformer)) && { finalNorm: qformer }) };
}

const SOURCES: Readonly<Record<keyof ModelSources, true>> = {
  qformer: true,
  vision: true,
  language: true,
  processor: true,
};

/** @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`. */
function expectSources(source: ModelSources): void {
  if (typeof source !== 'object' || source === null)
    throw mustBe('source', 'a folder, a Hub id, or an object with one of them per part', source);
  expectKnownOptions('source', source, Object.keys(SOURCES));
  for (const [name, value] of Object.entries(source))
    if (value !== undefined && typeof value !== 'string') throw mustBe(`source.${name}`, 'a folder or a Hub id', value);
  if (source.qformer === undefined) throw mustBe('source.qformer', 'a folder or a Hub id', source.qformer);
}

/** One folder as the source of every part. */
export function sameFolder(folder: string): ModelFolders {
  return { qformer: folder, vision: folder, language: folder, processor: folder };
}

/** LAVIS trains the norm after the frozen encoder (`ln_vision`) with the Q-Former and stores it in its checkpoint. */
async function holdsTrainedNorm(folder: string): Promise<boolean> {
  await using weights = await openModelWeights(folder, () => false);
  return weights.origin === 'lavis' && weights.tensors.has('vision_model.post_layernorm.weight');
}

/** The configuration of the whole model, with encoder and language model configured by their own sources. */
export async function readSourcesConfig({ qformer, vision, language }: ModelFolders): Promise<Blip2Config> {
  const config = Blip2Config.fromJson(await readConfig(qformer), qformer);
  if (vision === qformer && language === qformer) return config;
  const visionConfig = Blip2VisionConfig.fromJson(await readConfig(vision), vision);
  const textConfig = TextConfig.fromJson(await readConfig(language), language);
  return Blip2Config.create({ ...config, visionConfig, textConfig });
}
