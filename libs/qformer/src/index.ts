export {
  Blip2QFormerModel, createBlip2QFormerModel, type QFormerForwardInputs, type QFormerForwardOptions, type QFormerOutput, type QueryTokens,
} from './blip2-qformer-model.ts';
export { buildQFormer, crossAttentionLayers, qformerSignature, qformerTensors, type QFormerRequest, type QFormerSignature } from './graph.ts';
export { createLanguageProjection, LanguageProjection } from './language-projection.ts';
export { buildLanguageProjection, languageProjectionTensors, type ProjectionSignature, type ProjectionSize } from './language-projection-graph.ts';
