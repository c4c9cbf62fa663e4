export { isJsonObject, type JsonFileRules, type JsonObject, readJsonFile } from './json-file.ts';
export { MAX_POINTER_BYTES, refuseLfsPointer } from './lfs-pointer.ts';
export { CHUNK_BYTES, MAX_HEADER_BYTES, MAX_NAME_LENGTH, MAX_RANK, MAX_TENSORS } from './limits.ts';
export { makeFolder } from './make-folder.ts';
export {
  type PendingFile,
  syncFolder,
  systemCode,
  wrapWriteErrors,
  writeAll,
  writeFailure,
  writePending,
} from './pending-file.ts';
export { isRunning, processName } from './process-identity.ts';
export { commonFolder, findModelFile, resolveFile, resolveFolder } from './safe-path.ts';
export { readShardIndex, type ShardIndex } from './shard-index.ts';
export { INDEX_FILE, PICKLED_FILE, SHARD_FILE, SINGLE_FILE } from './weight-files.ts';
export { acquireLock, isAbandonedLock, LOCK_EXTENSION } from './work-lock.ts';
