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
