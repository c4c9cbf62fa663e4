export {
  Blip2VisionModel, createBlip2VisionModel, planVision, type LoadVisionOptions, type VisionForwardInputs, type VisionForwardOptions, type VisionOutput,
} from './blip2-vision-model.ts';
export { buildVisionModel, visionSignature, visionTensors, type VisionRequest, type VisionSignature } from './graph.ts';
export { ClipVisionEncoder, createClipVisionEncoder, type ClipVisionOptions } from './clip-vision-encoder.ts';
export { buildClipVisionModel, clipVisionSignature, clipVisionTensors, type ClipVisionRequest, type ClipVisionSignature } from './clip-graph.ts';
