export {
  convertPartWeights,
  createRandomPartWeights,
  type InitializeTensor,
  openPartWeights,
  overlayPartWeights,
  type PartWeights,
  partWeights,
  type RandomWeightsOptions,
  savePartWeights,
  torchDtype,
  transformerInitializer,
} from './part-weights.ts';
