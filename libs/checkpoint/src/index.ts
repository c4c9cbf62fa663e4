export { defaultCacheFolder } from './converted/cache-folder.ts';
export { convertedWeights, type ConversionOptions } from './converted/converted-weights.ts';
export { listCachedConversions, planConversionPrune, removeCachedConversions, type CachedConversion, type ConversionPruneOptions, type ConversionPrunePlan } from './converted/cached-conversions.ts';
export { verifyCachedConversion } from './converted/verify-conversion.ts';
export { plannedBytes } from './converted/planned-bytes.ts';
export { openCheckpoint, type Checkpoint } from './open-checkpoint.ts';
export type { CheckpointOrigin } from './lavis/lavis-names.ts';
export { openModelWeights, type ModelWeights } from './lavis/model-weights.ts';
export { listCachedModels, planPrune, pruneCache, removeCachedModel, type CachedModel, type CachedRevision, type PrunePlan } from './hub/cached-models.ts';
export { downloadModel, type DownloadOptions, type LoadProgress } from './hub/download-model.ts';
export { hubCacheFolder, type HubOptions } from './hub/hub-settings.ts';
export { planDownload, type DownloadPlan, type PlannedFile, type PlanOptions } from './hub/plan-download.ts';
export { outlineModel, type ModelOutline } from './hub/model-outline.ts';
export { isRepositoryId } from './hub/repository-id.ts';
export { verifyCachedModel, type VerifiedFile, type VerifyOptions } from './hub/verify-model.ts';
export { createRandomCheckpoint, randomTensorSource, type Initializer, type RandomCheckpoint, type RandomCheckpointOptions, type RandomTensor } from './random-checkpoint.ts';
export { readChunks, readRawTensor, readTensor, type ReadOptions } from './read-tensor.ts';
export { resolveProcessorSource, resolveSource, type ResolveOptions, type SourceResolver } from './resolve-source.ts';
export { findModelFile } from './safe-path.ts';
export { refuseLfsPointer } from './lfs-pointer.ts';
export { saveCheckpoint, type SaveDtype, type SaveOptions } from './save-checkpoint.ts';
export type { FloatStoredType } from './stored-type.ts';
export { convertedSource, storedTensorSource, tensorSource, type TensorSource } from './tensor-source.ts';
export { writeSafetensors, type WriteOptions, type WriteProgress } from './write-safetensors.ts';
export {
  convertPartWeights, createRandomPartWeights, openPartWeights, overlayPartWeights, partWeights, savePartWeights, torchDtype, transformerInitializer, type InitializeTensor, type PartWeights, type RandomWeightsOptions,
} from './part-weights.ts';
export type { HubIo } from './hub/hub-io.ts';
export type { TemporaryWeights } from './temporary-weights.ts';
