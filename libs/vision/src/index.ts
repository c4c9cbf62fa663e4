export { buildVisionModel, type VisionSignature, visionSignature, visionTensors } from './blip2/blip2-vision-graph.ts';
export {
  Blip2VisionModel,
  createBlip2VisionModel,
  type LoadVisionOptions,
  planVision,
  type VisionOptions,
} from './blip2/blip2-vision-model.ts';
export {
  ClipVisionEncoder,
  type ClipVisionOptions,
  createClipVisionEncoder,
  type FeatureLayerOptions,
} from './clip/clip-vision-encoder.ts';
export {
  buildClipVisionModel,
  type ClipVisionRequest,
  type ClipVisionSignature,
  clipVisionSignature,
  clipVisionTensors,
} from './clip/clip-vision-graph.ts';
export type {
  EncoderLifecycle,
  EncoderMembers,
  EncoderRequest,
  OptionallyPooledOutput,
  VisionArchitecture,
  VisionForwardInputs,
  VisionForwardOptions,
  VisionOutput,
  VisionOutputs,
  VisionStates,
} from './create-vision-encoder.ts';
export { encoderLifecycle, withOptionalPooler, withPoolerOutput } from './create-vision-encoder.ts';
export { Dinov2VisionEncoder } from './dinov2/dinov2-vision-encoder.ts';
export { expectPixelDims, expectPixelValues, type ImageSizes } from './expect-pixel-values.ts';
export { loadVisionEncoder, visionFamily } from './families.ts';
export {
  type OnnxVisionEncoder,
  onnxVisionEncoder,
  type OnnxVisionEncoderOptions,
} from './onnx-file/onnx-vision-encoder.ts';
export { type PatchEmbeddingLayout, patchEmbeddings, type PatchEmbeddingWeights } from './patch-embeddings.ts';
export { SENSITIVE_VISION_LAYERS } from './sensitive-vision-layers.ts';
export { SiglipVisionEncoder } from './siglip/siglip-vision-encoder.ts';
export { defineVisionTransformer, type VisionTransformerDefinition } from './transformer/define-vision-transformer.ts';
export type {
  PoolerLayout,
  VisionTransformerConfig,
  VisionTransformerLayout,
} from './transformer/vision-transformer-layout.ts';
export type {
  CheckpointVisionEncoder,
  OptionallyPooledVisionEncoder,
  PooledVisionEncoder,
  VisionFamily,
} from './vision-family.ts';
export { FINAL_STATES, type VisionRequest } from './vision-request.ts';
export { type EncoderSignature, encoderSignature, type EncoderSizes, requestedOutputs } from './vision-signature.ts';
export { VitEncoder } from './vit/vit-encoder.ts';
