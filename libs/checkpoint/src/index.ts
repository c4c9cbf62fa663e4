export { openCheckpoint, type Checkpoint } from './open-checkpoint.ts';
export { readChunks, readRawTensor, readTensor, type ReadOptions } from './read-tensor.ts';
export { resolveSource, type ResolveOptions, type SourceResolver } from './resolve-source.ts';
