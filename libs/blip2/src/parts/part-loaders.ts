import { loadLanguageModel } from './language-loader.ts';
import type { PartWithPrecision } from './load-options.ts';
import * as visionLoaders from './vision-loaders.ts';

/** The loader of each part. */
export const partLoaders: typeof visionLoaders & { readonly loadLanguageModel: typeof loadLanguageModel } = {
  ...visionLoaders,
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

/** The module of the vision worker's loaders. */
export const VISION_LOADERS: URL = new URL('./vision-loaders.js', import.meta.url);
/** The module of the language worker's loader. */
export const LANGUAGE_LOADER: URL = new URL('./language-loader.js', import.meta.url);
