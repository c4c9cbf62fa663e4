import type { EntryKind } from '../entry-kind.ts';
import { generateKind, languageModelGenerateKind, samplingScoresKind, sequenceLogProbsKind } from './generate.ts';
import { gradientKind } from './gradient.ts';
import { decodeImageKind, imageProcessorKind } from './images.ts';
import { logitsPipelineKind, logitsProcessorKind } from './logits.ts';
import { languageModelForwardKind, languageProjectionKind, qformerForwardKind, visionForwardKind } from './parts.ts';
import { processorKind } from './processor.ts';
import {
  imageTextRetrievalKind,
  textEmbeddingsKind,
  textModelWithProjectionKind,
  visionModelWithProjectionKind,
} from './retrieval.ts';
import { tokenizerDecodeKind, tokenizerEncodeKind } from './text.ts';
import { forwardKind, getImageFeaturesKind, getQFormerFeaturesKind, getTextFeaturesKind } from './whole-models.ts';

/** All entry kinds of the format, by name. */
export const entryKinds: ReadonlyMap<string, EntryKind> = new Map([
  ['decode_image', decodeImageKind],
  ['image_processor', imageProcessorKind],
  ['tokenizer_encode', tokenizerEncodeKind],
  ['tokenizer_decode', tokenizerDecodeKind],
  ['processor', processorKind],
  ['vision_forward', visionForwardKind],
  ['qformer_forward', qformerForwardKind],
  ['language_projection', languageProjectionKind],
  ['language_model_forward', languageModelForwardKind],
  ['forward', forwardKind],
  ['text_embeddings', textEmbeddingsKind],
  ['image_text_retrieval', imageTextRetrievalKind],
  ['text_model_with_projection', textModelWithProjectionKind],
  ['vision_model_with_projection', visionModelWithProjectionKind],
  ['get_image_features', getImageFeaturesKind],
  ['get_qformer_features', getQFormerFeaturesKind],
  ['get_text_features', getTextFeaturesKind],
  ['generate', generateKind],
  ['language_model_generate', languageModelGenerateKind],
  ['sampling_scores', samplingScoresKind],
  ['sequence_logprobs', sequenceLogProbsKind],
  ['gradient', gradientKind],
  ['logits_processor', logitsProcessorKind],
  ['logits_pipeline', logitsPipelineKind],
]);
