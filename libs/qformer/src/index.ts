export {
  Blip2QFormerModel,
  createBlip2QFormerModel,
  type QueryTokens,
  type RandomQFormerOptions,
} from './blip2-qformer-model.ts';
export type { QFormerContent } from './graph.ts';
export {
  buildQFormer,
  crossAttentionLayers,
  type QFormerRequest,
  type QFormerSignature,
  qformerSignature,
  qformerTensors,
} from './graph.ts';
export { createLanguageProjection, LanguageProjection } from './language-projection.ts';
export {
  buildLanguageProjection,
  languageProjectionTensors,
  type ProjectionSignature,
  type ProjectionSize,
} from './language-projection-graph.ts';
export type { QFormerMask } from './mask-bias.ts';
export { planQFormer } from './plan-qformer.ts';
export { firstPositions, joinPositions } from './positions.ts';
export type { QFormerForwardInputs, QFormerForwardOptions, QFormerKeyValue, QFormerOutput } from './qformer-forward.ts';
export {
  createMatchingHead,
  createRetrievalProjection,
  MatchingHead,
  type MatchingLogits,
  type RetrievalEmbeds,
  RetrievalProjection,
  type RetrievalProjectionName,
} from './retrieval-heads.ts';
export {
  buildMatchingHead,
  buildRetrievalProjection,
  MATCHING_CLASSES,
  type MatchingHeadSignature,
  matchingHeadTensors,
  type RetrievalProjectionSignature,
  retrievalProjectionTensors,
} from './retrieval-heads-graph.ts';
export {
  blip2QFormerLayout,
  createTextConditionedQFormer,
  instructBlipQFormerLayout,
  type QFormerLayout,
  type QFormerReadInputs,
  type QFormerTextInputs,
  TextConditionedQFormer,
  type TextConditionedQFormerParts,
  type TextQFormerOptions,
} from './text-conditioned-qformer.ts';
export { buildTextEmbeddings, type TextEmbeddingsSignature, textEmbeddingsTensors } from './text-embeddings-graph.ts';
