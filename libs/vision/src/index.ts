export {
  Blip2VisionModel,
  createBlip2VisionModel,
  type LoadVisionOptions,
  planVision,
  type VisionForwardInputs,
  type VisionForwardOptions,
  type VisionOutput,
} from './blip2-vision-model.ts';
export {
  buildClipVisionModel,
  type ClipVisionRequest,
  type ClipVisionSignature,
  clipVisionSignature,
  clipVisionTensors,
} from './clip-graph.ts';
export { ClipVisionEncoder, type ClipVisionOptions, createClipVisionEncoder } from './clip-vision-encoder.ts';
export { buildVisionModel, type VisionRequest, type VisionSignature, visionSignature, visionTensors } from './graph.ts';
