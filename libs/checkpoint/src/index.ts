export { type ModelWeights, openModelWeights } from './lavis/model-weights.ts';
export type { CheckpointOrigin } from './lavis/parameter-names.ts';
export { type ModelOutline, outlineModel } from './model-folder/model-outline.ts';
export { type Checkpoint, openCheckpoint } from './model-folder/open-checkpoint.ts';
export { saveCheckpoint, type SaveDtype, type SaveOptions } from './model-folder/save-checkpoint.ts';
export type { TemporaryWeights } from './model-folder/temporary-weights.ts';
export { defaultCacheFolder } from './quantized/cache-folder.ts';
export {
  type CachedConversion,
  type ConversionPruneOptions,
  type ConversionPrunePlan,
  listCachedConversions,
  planConversionPrune,
  removeCachedConversions,
} from './quantized/cached-conversions.ts';
export { type ConversionOptions, convertedWeights } from './quantized/converted-weights.ts';
export { plannedBytes } from './quantized/planned-bytes.ts';
export { verifyCachedConversion } from './quantized/verify-conversion.ts';
export {
  createRandomCheckpoint,
  type Initializer,
  type RandomCheckpoint,
  type RandomCheckpointOptions,
  type RandomTensor,
  randomTensorSource,
} from './random/random-checkpoint.ts';
export { readChunks, type ReadOptions, readRawTensor, readTensor } from './safetensors/read-tensor.ts';
export type { FloatStoredType } from './safetensors/stored-type.ts';
export { convertedSource, storedTensorSource, type TensorSource, tensorSource } from './safetensors/tensor-source.ts';
export { type WriteOptions, type WriteProgress, writeSafetensors } from './safetensors/write-safetensors.ts';
