export {
  Blip2QFormerModel,
  createBlip2QFormerModel,
  type QueryOptions,
  type RandomQFormerOptions,
} from './blip2-qformer-model.ts';
export {
  BRIDGE_PARTS,
  type BridgePart,
  type BridgePlan,
  isTrainedTensor,
  trainedTensors,
} from './bridge/bridge-graph.ts';
export {
  type BridgeInputs,
  type BridgeText,
  createTrainableBridge,
  type NamedTensors,
  type TrainableBridge,
} from './bridge/trainable-bridge.ts';
export { firstPositions } from './first-positions.ts';
export type { QFormerContent } from './graph/qformer-graph.ts';
export {
  buildQFormer,
  crossAttentionLayers,
  type QFormerSignature,
  qformerSignature,
  qformerTensors,
} from './graph/qformer-graph.ts';
export type { QFormerRequest } from './graph/qformer-request.ts';
export {
  buildTextEmbeddings,
  type TextEmbeddingsSignature,
  textEmbeddingsTensors,
} from './graph/text-embeddings-graph.ts';
export { createLanguageProjection, LanguageProjection } from './heads/language-projection.ts';
export {
  buildLanguageProjection,
  languageProjectionTensors,
  type ProjectionSignature,
  type ProjectionSize,
} from './heads/language-projection-graph.ts';
export {
  createMatchingHead,
  createRetrievalProjection,
  MatchingHead,
  type MatchingLogits,
  type RetrievalEmbeds,
  RetrievalProjection,
  type RetrievalProjectionName,
  type RetrievalProjections,
} from './heads/retrieval-heads.ts';
export {
  buildMatchingHead,
  buildRetrievalProjection,
  MATCHING_CLASSES,
  type MatchingHeadSignature,
  matchingHeadTensors,
  type RetrievalProjectionSignature,
  retrievalProjectionTensors,
} from './heads/retrieval-heads-graph.ts';
export type { QFormerMask } from './mask-bias.ts';
export { planQFormer } from './plan-qformer.ts';
export type { QFormerForwardInputs, QFormerForwardOptions, QFormerKeyValue, QFormerOutput } from './qformer-forward.ts';
export { blip2QFormerLayout, instructBlipQFormerLayout, type QFormerLayout } from './qformer-layout.ts';
export type { QFormerWeights, QueryTokens, TextQFormerWeights } from './query-tokens.ts';
export {
  createTextConditionedQFormer,
  type LayoutOptions,
  type QFormerReadInputs,
  type QFormerTextInputs,
  TextConditionedQFormer,
  type TextConditionedQFormerParts,
  type TextQFormerOptions,
} from './text-conditioned-qformer.ts';
