// Reading
export { type ModelWeights, openModelWeights } from './lavis/model-weights.ts';
export type { CheckpointOrigin } from './lavis/parameter-names.ts';
export type { ModelOutline } from './model-folder/model-outline.ts';
export { type ModelVersion, readModelVersion } from './model-folder/model-version.ts';
export { type Checkpoint, openCheckpoint } from './model-folder/open-checkpoint.ts';
export { outlineModel } from './model-folder/outline-model.ts';
export { fromFloat32, toFloat32 } from './safetensors/float-conversion.ts';
export type { Header } from './safetensors/header.ts';
export { readHeader } from './safetensors/read-header.ts';
export { readChunks, type ReadOptions, readRawTensor, readTensor } from './safetensors/read-tensor.ts';
export type { FloatStoredType } from './safetensors/stored-type.ts';
// Writing
export { saveCheckpoint, type SaveDtype, type SaveOptions } from './model-folder/save-checkpoint.ts';
export { convertedSource, storedTensorSource, type TensorSource, tensorSource } from './safetensors/tensor-source.ts';
export {
  encodeHeader,
  type TensorLayout,
  type WriteOptions,
  type WriteProgress,
  writeSafetensors,
} from './safetensors/write-safetensors.ts';
// Adapters
export { type MergedTensor, mergedTensorSource } from './adapters/merged-source.ts';
export { openAdapterWeights } from './adapters/open-adapter-weights.ts';
export type { AddedChange, LowRankChange, WeightChange, WeightChanges } from './adapters/weight-change.ts';

// Random weights
export type { TemporaryOptions, TemporaryWeights } from './model-folder/temporary-weights.ts';
export {
  createRandomCheckpoint,
  type Initializer,
  type RandomCheckpoint,
  type RandomCheckpointOptions,
  type RandomTensor,
  randomTensorSource,
} from './random/random-checkpoint.ts';
// Quantized weights
export { packedFolderOf } from './quantized/cache-folder.ts';
export {
  type CachedConversion,
  type ConversionPruneOptions,
  type ConversionPrunePlan,
  listCachedConversions,
  planConversionPrune,
  removeCachedConversions,
} from './quantized/cached-conversions.ts';
export type { ConversionOptions } from './quantized/conversion-options.ts';
export { type AdaptedConversion, convertedWeights } from './quantized/converted-weights.ts';
export { plannedBytes } from './quantized/planned-bytes.ts';
export { verifyCachedConversion } from './quantized/verify-conversion.ts';
