export {
  definePart,
  definePartOfModel,
  type DisposablePart,
  type LoadPartOptions,
  type Part,
  type PartContext,
  type PartDefinition,
  type PartOfModel,
  type PartOfModelDefinition,
  type StandalonePart,
} from './define-part.ts';
export { partFolder } from './part-folder.ts';
export { openPartWeights, overlayPartWeights, type PartWeights, partWeights, pathStart } from './part-weights.ts';
export { convertPartWeights, type PartPlans, plannedFiles, planPart, type WeightPlan } from './plan-part.ts';
export {
  createRandomPartWeights,
  type InitializeTensor,
  type RandomWeightsOptions,
  transformerInitializer,
} from './random-weights.ts';
export { type SavePartOptions, savePartWeights, torchDtype } from './save-part.ts';
export { sessionKey } from './session-key.ts';
