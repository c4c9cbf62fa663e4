/** What a family of vision encoders is defined with, for families of other packages. */
export {
  type EncoderLifecycle,
  encoderLifecycle,
  type VisionArchitecture,
  withOptionalPooler,
  withPoolerOutput,
} from './create-vision-encoder.ts';
export { type PatchEmbeddingLayout, patchEmbeddings, type PatchEmbeddingWeights } from './patch-embeddings.ts';
export { SENSITIVE_VISION_LAYERS } from './sensitive-vision-layers.ts';
export { bertProjections, classTokenEmbeddings, SEPARATE_PROJECTIONS } from './transformer/block-names.ts';
export { defineVisionTransformer, type VisionTransformerDefinition } from './transformer/define-vision-transformer.ts';
export type {
  PoolerLayout,
  VisionTransformerConfig,
  VisionTransformerLayout,
} from './transformer/vision-transformer-layout.ts';
export { PATH_IN_BLIP2 } from './vision-path.ts';
export { FINAL_STATES } from './vision-request.ts';
export { encoderSignature, numPositions, patchesPerSide, requestedOutputs } from './vision-signature.ts';
