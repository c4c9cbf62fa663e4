export {
  Blip2VisionModel, createBlip2VisionModel, type VisionForwardInputs, type VisionForwardOptions, type VisionOutput,
} from './blip2-vision-model.ts';
export { buildVisionModel, visionSignature, visionTensors, type VisionRequest, type VisionSignature } from './graph.ts';
