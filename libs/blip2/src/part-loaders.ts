/** One loader per part, in a module of its own so that a worker can import it. */
import { readConfig, TextConfig } from '@blip2/config';
import { LlamaForCausalLM, OptForCausalLM, T5ForConditionalGeneration } from '@blip2/language';
import { Blip2QFormerModel, LanguageProjection, MatchingHead, RetrievalProjection, TextConditionedQFormer } from '@blip2/qformer';
import type { PartOptions } from '@blip2/runtime';
import { Blip2VisionModel, type LoadVisionOptions } from '@blip2/vision';

/** Any language model that a checkpoint can name, told apart by `architecture`. */
export type CheckpointLanguageModel = OptForCausalLM | LlamaForCausalLM | T5ForConditionalGeneration;

export function loadVision(folder: string, options?: LoadVisionOptions): Promise<Blip2VisionModel> {
  return Blip2VisionModel.fromPretrained(folder, options);
}

export function loadQFormer(folder: string, options?: PartOptions): Promise<Blip2QFormerModel> {
  return Blip2QFormerModel.fromPretrained(folder, options);
}

export function loadLanguageProjection(folder: string, options?: PartOptions): Promise<LanguageProjection> {
  return LanguageProjection.fromPretrained(folder, options);
}

export function loadTextQFormer(folder: string, options?: PartOptions): Promise<TextConditionedQFormer> {
  return TextConditionedQFormer.fromPretrained(folder, options);
}

export function loadVisionProjection(folder: string, options?: PartOptions): Promise<RetrievalProjection> {
  return RetrievalProjection.fromPretrained(folder, 'vision_projection', options);
}

export function loadTextProjection(folder: string, options?: PartOptions): Promise<RetrievalProjection> {
  return RetrievalProjection.fromPretrained(folder, 'text_projection', options);
}

export function loadMatchingHead(folder: string, options?: PartOptions): Promise<MatchingHead> {
  return MatchingHead.fromPretrained(folder, options);
}

export async function loadLanguageModel(folder: string, options?: PartOptions): Promise<CheckpointLanguageModel> {
  const { modelType } = TextConfig.fromJson(await readConfig(folder), folder);
  switch (modelType) {
    case 'opt':
      return OptForCausalLM.fromPretrained(folder, options);
    case 'llama':
      return LlamaForCausalLM.fromPretrained(folder, options);
    case 't5':
      return T5ForConditionalGeneration.fromPretrained(folder, options);
  }
}
