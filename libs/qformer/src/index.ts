export { Blip2QFormerModel, createBlip2QFormerModel, type QueryTokens, type RandomQFormerOptions } from './blip2-qformer-model.ts';
export type { QFormerForwardInputs, QFormerForwardOptions, QFormerKeyValue, QFormerOutput } from './qformer-forward.ts';
export type { QFormerMask } from './mask-bias.ts';
export { buildQFormer, crossAttentionLayers, qformerSignature, qformerTensors, type QFormerRequest, type QFormerSignature } from './graph.ts';
export { createLanguageProjection, LanguageProjection } from './language-projection.ts';
export { buildLanguageProjection, languageProjectionTensors, type ProjectionSignature, type ProjectionSize } from './language-projection-graph.ts';
