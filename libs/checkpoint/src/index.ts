export { defaultCacheFolder } from './converted/cache-folder.ts';
export {
  type CachedConversion,
  type ConversionPruneOptions,
  type ConversionPrunePlan,
  listCachedConversions,
  planConversionPrune,
  removeCachedConversions,
} from './converted/cached-conversions.ts';
export { type ConversionOptions, convertedWeights } from './converted/converted-weights.ts';
export { plannedBytes } from './converted/planned-bytes.ts';
export { verifyCachedConversion } from './converted/verify-conversion.ts';
export {
  type CachedModel,
  type CachedRevision,
  listCachedModels,
  planPrune,
  pruneCache,
  type PrunePlan,
  removeCachedModel,
} from './hub/cached-models.ts';
export { downloadModel, type DownloadOptions, type LoadProgress } from './hub/download-model.ts';
export type { HubIo } from './hub/hub-io.ts';
export { hubCacheFolder, type HubOptions } from './hub/hub-settings.ts';
export { type ModelOutline, outlineModel } from './hub/model-outline.ts';
export { type DownloadPlan, planDownload, type PlannedFile, type PlanOptions } from './hub/plan-download.ts';
export { isRepositoryId } from './hub/repository-id.ts';
export { type VerifiedFile, verifyCachedModel, type VerifyOptions } from './hub/verify-model.ts';
export type { CheckpointOrigin } from './lavis/lavis-names.ts';
export { type ModelWeights, openModelWeights } from './lavis/model-weights.ts';
export { refuseLfsPointer } from './lfs-pointer.ts';
export { makeFolder } from './make-folder.ts';
export { type Checkpoint, openCheckpoint } from './open-checkpoint.ts';
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
export {
  createRandomCheckpoint,
  type Initializer,
  type RandomCheckpoint,
  type RandomCheckpointOptions,
  type RandomTensor,
  randomTensorSource,
} from './random-checkpoint.ts';
export { readChunks, type ReadOptions, readRawTensor, readTensor } from './read-tensor.ts';
export { type ResolveOptions, resolveProcessorSource, resolveSource, type SourceResolver } from './resolve-source.ts';
export { findModelFile } from './safe-path.ts';
export { saveCheckpoint, type SaveDtype, type SaveOptions } from './save-checkpoint.ts';
export type { FloatStoredType } from './stored-type.ts';
export type { TemporaryWeights } from './temporary-weights.ts';
export { convertedSource, storedTensorSource, type TensorSource, tensorSource } from './tensor-source.ts';
export { type WriteOptions, type WriteProgress, writeSafetensors } from './write-safetensors.ts';
