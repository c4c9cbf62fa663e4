export {
  type Blip2VisionRequest,
  buildVisionModel,
  type VisionSignature,
  visionSignature,
} from './blip2/blip2-vision-graph.ts';
export {
  Blip2VisionModel,
  createBlip2VisionModel,
  type LoadVisionOptions,
  type VisionOptions,
} from './blip2/blip2-vision-model.ts';
export { ClipVisionEncoder, type ClipVisionOptions, createClipVisionEncoder } from './clip/clip-vision-encoder.ts';
export {
  buildClipVisionModel,
  type ClipVisionRequest,
  type ClipVisionSignature,
  clipVisionSignature,
  clipVisionTensors,
} from './clip/clip-vision-graph.ts';
export type {
  EncoderMembers,
  OptionallyPooledOutput,
  VisionForwardInputs,
  VisionForwardOptions,
  VisionOutput,
  VisionStates,
} from './create-vision-encoder.ts';
export { Dinov2VisionEncoder } from './dinov2/dinov2-vision-encoder.ts';
export { EvaVisionEncoder } from './eva/eva-vision-encoder.ts';
export { expectPixelDims, expectPixelValues, type ImageSizes } from './expect-pixel-values.ts';
export {
  loadVisionEncoder,
  planVision,
  registerVisionFamily,
  visionFamily,
  type VisionFamilyDefinition,
  visionInitializer,
  visionTensors,
} from './families.ts';
export type { FeatureLayerOptions } from './feature-layer.ts';
export {
  type OnnxVisionEncoder,
  onnxVisionEncoder,
  type OnnxVisionEncoderOptions,
} from './onnx-file/onnx-vision-encoder.ts';
export { SiglipVisionEncoder } from './siglip/siglip-vision-encoder.ts';
export type {
  CheckpointVisionEncoder,
  OptionallyPooledVisionEncoder,
  PooledVisionEncoder,
  VisionFamily,
} from './vision-family.ts';
export type { VisionRequest } from './vision-request.ts';
export type { EncoderSignature, EncoderSizes } from './vision-signature.ts';
export { VitEncoder } from './vit/vit-encoder.ts';
