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
export type { CheckpointOrigin } from './lavis/lavis-names.ts';
export { type ModelWeights, openModelWeights } from './lavis/model-weights.ts';
export { type ModelOutline, outlineModel } from './model-outline.ts';
export { type Checkpoint, openCheckpoint } from './open-checkpoint.ts';
export {
  createRandomCheckpoint,
  type Initializer,
  type RandomCheckpoint,
  type RandomCheckpointOptions,
  type RandomTensor,
  randomTensorSource,
} from './random-checkpoint.ts';
export { readChunks, type ReadOptions, readRawTensor, readTensor } from './read-tensor.ts';
export { saveCheckpoint, type SaveDtype, type SaveOptions } from './save-checkpoint.ts';
export type { FloatStoredType } from './stored-type.ts';
export type { TemporaryWeights } from './temporary-weights.ts';
export { convertedSource, storedTensorSource, type TensorSource, tensorSource } from './tensor-source.ts';
export { type WriteOptions, type WriteProgress, writeSafetensors } from './write-safetensors.ts';
