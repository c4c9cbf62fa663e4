export { ADAPTER_CONFIG_FILE, type AdapterConfig, readAdapterConfig } from './adapters/adapter-config.ts';
export {
  type AdapterBase,
  adapterBase,
  type AdapterOptions,
  isAdapterOnly,
  type PartSource,
  partSource,
} from './adapters/part-source.ts';
export { placeAdapters } from './adapters/place-adapters.ts';
export type { AdaptedPart, PlacedAdapters } from './adapters/placed-adapters.ts';
export { type AdaptedModule, type Adapter, readAdapter, type ReplacedTensor } from './adapters/read-adapter.ts';
export type { TiedEmbeddings } from './adapters/tied-names.ts';
export { weightChanges } from './adapters/weight-changes.ts';
export { definePart, definePartOfModel, type LoadPartOptions, type Part, type PartOfModel } from './define-part.ts';
export { withFiniteOutputs } from './finite-outputs.ts';
export {
  expectForwardOptions,
  type ForwardOptionName,
  LOAD_PART_OPTIONS,
  LOAD_REPLACEMENTS,
  PART_OPTIONS,
  RANDOM_OPTIONS,
  RESOLVE_OPTIONS,
  SAVE_OPTIONS,
} from './known-options.ts';
export { expectFileValue, expectFixedAxis, expectKnownInputs } from './onnx-file/expect-file-values.ts';
export { type OnnxFile, readOnnxFile } from './onnx-file/read-onnx-file.ts';
export { integerSetting, objectSetting, positiveOption } from './onnx-file/setting-values.ts';
export { DATA_SUFFIX, writeGraph, type WriteGraphOptions, type WrittenGraph } from './onnx-file/write-graph.ts';
export type { PartContext, PartDefinition, PartOfModelDefinition } from './part-definition.ts';
export { partFolder } from './part-folder.ts';
export {
  openPartWeights,
  overlayPartWeights,
  type PartWeights,
  partWeights,
  pathStart,
  type SavedWeights,
} from './part-weights.ts';
export { convertPartWeights, type PartPlans, plannedFiles, planPart, type WeightPlan } from './plan-part.ts';
export {
  createRandomPartWeights,
  type InitializeTensor,
  type RandomWeightsOptions,
  transformerInitializer,
} from './random-weights.ts';
export { type PartFamilyDefinition, type PartFamilyRole, registerPartFamily } from './register-part-family.ts';
export { expectSavable, type SavePartOptions, savePartWeights, torchDtype } from './save-part.ts';
export { sessionKey } from './session-key.ts';
export type { DisposablePart, ExportedGraph, StandalonePart } from './standalone-part.ts';
