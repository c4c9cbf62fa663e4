/**
 * Loaders of every part except the language model, in a module of their own: the vision worker imports it, and need not
 * load the language models.
 */
import {
  Blip2QFormerModel,
  LanguageProjection,
  MatchingHead,
  RetrievalProjection,
  TextConditionedQFormer,
} from '@blip2/qformer';
import {
  Blip2VisionModel,
  type CheckpointVisionEncoder,
  loadVisionEncoder,
  type LoadVisionOptions,
} from '@blip2/vision';

import type { LoadedPartOptions } from './load-options.ts';

export function loadVision(folder: string, options?: LoadVisionOptions): Promise<Blip2VisionModel> {
  return Blip2VisionModel.fromPretrained(folder, options);
}

/** An encoder of any family, in a folder of its own. */
export function loadEncoder(folder: string, options?: LoadedPartOptions): Promise<CheckpointVisionEncoder> {
  return loadVisionEncoder(folder, options);
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
