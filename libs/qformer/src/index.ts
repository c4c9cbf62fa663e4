export { Blip2QFormerModel, createBlip2QFormerModel, type QueryTokens, type RandomQFormerOptions } from './blip2-qformer-model.ts';
export type { QFormerForwardInputs, QFormerForwardOptions, QFormerKeyValue, QFormerOutput } from './qformer-forward.ts';
export type { QFormerMask } from './mask-bias.ts';
export { buildQFormer, crossAttentionLayers, qformerSignature, qformerTensors, type QFormerRequest, type QFormerSignature } from './graph.ts';
export { planQFormer } from './plan-qformer.ts';
export { createLanguageProjection, LanguageProjection } from './language-projection.ts';
export { buildLanguageProjection, languageProjectionTensors, type ProjectionSignature, type ProjectionSize } from './language-projection-graph.ts';
export { buildTextEmbeddings, textEmbeddingsTensors, type TextEmbeddingsSignature } from './text-embeddings-graph.ts';
export {
  BLIP2_QFORMER_LAYOUT, createTextConditionedQFormer, INSTRUCTBLIP_QFORMER_LAYOUT, TextConditionedQFormer,
  type QFormerLayout, type QFormerReadInputs, type QFormerTextInputs, type TextConditionedQFormerParts, type TextQFormerOptions,
} from './text-conditioned-qformer.ts';
export {
  createMatchingHead, createRetrievalProjection, MatchingHead, RetrievalProjection, type MatchingLogits, type RetrievalEmbeds, type RetrievalProjectionName,
} from './retrieval-heads.ts';
export {
  buildMatchingHead, buildRetrievalProjection, MATCHING_CLASSES, matchingHeadTensors, retrievalProjectionTensors, type MatchingHeadSignature, type RetrievalProjectionSignature,
} from './retrieval-heads-graph.ts';
export { firstPositions, joinPositions } from './positions.ts';
export type { QFormerContent } from './graph.ts';
