/** One loader per part, in a module of its own so that a worker can import it. */
import { type CheckpointLanguageModel, loadLanguageModel as loadLanguage } from '@blip2/language';
import {
  Blip2QFormerModel,
  LanguageProjection,
  MatchingHead,
  RetrievalProjection,
  TextConditionedQFormer,
} from '@blip2/qformer';
import { Blip2VisionModel, type LoadVisionOptions } from '@blip2/vision';

import type { LoadedPartOptions, PartWithPrecision } from './load-options.ts';

export type { CheckpointLanguageModel };

export type LoaderName =
  | 'loadVision'
  | 'loadQFormer'
  | 'loadLanguageProjection'
  | 'loadTextQFormer'
  | 'loadVisionProjection'
  | 'loadTextProjection'
  | 'loadMatchingHead'
  | 'loadLanguageModel';

/** Which precision each loader is told of. */
export const PRECISION_OF: Readonly<Partial<Record<LoaderName, PartWithPrecision>>> = {
  loadVision: 'vision',
  loadQFormer: 'qformer',
  loadTextQFormer: 'qformer',
  loadLanguageModel: 'language',
};

export function loadVision(folder: string, options?: LoadVisionOptions): Promise<Blip2VisionModel> {
  return Blip2VisionModel.fromPretrained(folder, options);
}

export function loadQFormer(folder: string, options?: LoadedPartOptions): Promise<Blip2QFormerModel> {
  return Blip2QFormerModel.fromPretrained(folder, options);
}

export function loadLanguageProjection(folder: string, options?: LoadedPartOptions): Promise<LanguageProjection> {
  return LanguageProjection.fromPretrained(folder, options);
}

export function loadTextQFormer(folder: string, options?: LoadedPartOptions): Promise<TextConditionedQFormer> {
  return TextConditionedQFormer.fromPretrained(folder, options);
}

export function loadVisionProjection(folder: string, options?: LoadedPartOptions): Promise<RetrievalProjection> {
  return RetrievalProjection.fromPretrained(folder, 'vision_projection', options);
}

export function loadTextProjection(folder: string, options?: LoadedPartOptions): Promise<RetrievalProjection> {
  return RetrievalProjection.fromPretrained(folder, 'text_projection', options);
}

export function loadMatchingHead(folder: string, options?: LoadedPartOptions): Promise<MatchingHead> {
  return MatchingHead.fromPretrained(folder, options);
}

export function loadLanguageModel(folder: string, options?: LoadedPartOptions): Promise<CheckpointLanguageModel> {
  return loadLanguage(folder, options);
}
