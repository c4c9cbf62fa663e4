import { loadLanguageModel } from './language-loader.ts';
import type { PartWithPrecision } from './load-options.ts';
import * as visionModule from './vision-loaders.ts';

/** The loader of each part. */
export const partLoaders: typeof visionModule & { readonly loadLanguageModel: typeof loadLanguageModel } = {
  ...visionModule,
  loadLanguageModel,
};

/** Name of a loader. */
export type LoaderName = keyof typeof partLoaders;

/** The part whose precision applies to each loader; other parts are always float32. */
export const PRECISION_OF: Readonly<Partial<Record<LoaderName, PartWithPrecision>>> = {
  loadVision: 'vision',
  loadQFormer: 'qformer',
  loadTextQFormer: 'qformer',
  loadLanguageModel: 'language',
};

/** Paths in a checkpoint of what each loader loads. Adapters that change one of them are passed to it. */
export const PATHS_OF: Readonly<Record<LoaderName, readonly string[]>> = {
  loadVision: ['vision_model'],
  loadQFormer: ['qformer', 'query_tokens'],
  loadTextQFormer: ['qformer', 'query_tokens', 'embeddings'],
  loadLanguageProjection: ['language_projection'],
  loadLanguageModel: ['language_model'],
  loadVisionProjection: ['vision_projection'],
  loadTextProjection: ['text_projection'],
  loadMatchingHead: ['itm_head'],
};
