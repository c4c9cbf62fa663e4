export {
  buildVisionModel,
  type VisionRequest,
  type VisionSignature,
  visionSignature,
  visionTensors,
} from './blip2/blip2-vision-graph.ts';
export {
  Blip2VisionModel,
  createBlip2VisionModel,
  type LoadVisionOptions,
  planVision,
  type VisionForwardInputs,
  type VisionForwardOptions,
  type VisionOutput,
} from './blip2/blip2-vision-model.ts';
export { ClipVisionEncoder, type ClipVisionOptions, createClipVisionEncoder } from './clip/clip-vision-encoder.ts';
export {
  buildClipVisionModel,
  type ClipVisionRequest,
  type ClipVisionSignature,
  clipVisionSignature,
  clipVisionTensors,
} from './clip/clip-vision-graph.ts';
