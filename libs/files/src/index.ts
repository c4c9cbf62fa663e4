export { defaultCacheFolder, homeFolder } from './cache-folder.ts';
// Paths and folders
export { isFolder, makeFolder } from './make-folder.ts';
export { requireSpace } from './require-space.ts';
export { commonFolder, findModelFile, isModelPath, resolveFile, resolveFolder } from './safe-path.ts';
// Files of a model folder
export { isJsonObject, type JsonFileRules, type JsonObject, readJsonFile } from './json-file.ts';
export { MAX_POINTER_BYTES, refuseLfsPointer } from './lfs-pointer.ts';
export {
  CHUNK_BYTES,
  MAX_HEADER_BYTES,
  MAX_INDEX_BYTES,
  MAX_METADATA_ENTRIES,
  MAX_NAME_LENGTH,
  MAX_RANK,
  MAX_TENSORS,
} from './limits.ts';
export { type InvalidJson, type JsonLimits, parseJson } from './parse-json.ts';
export { type OpenedFile, openRegular, readFailure, readLimited, type RefusedFile } from './read-limited.ts';
export { parseShardIndex, readShardIndex, type ShardIndex } from './shard-index.ts';
export { INDEX_FILE, OPEN_CLIP_CONFIG, OPEN_CLIP_FILE, PICKLED_FILE, SHARD_FILE, SINGLE_FILE } from './weight-files.ts';
// Writing
export {
  type PendingFile,
  startBeat,
  syncFolder,
  systemCode,
  temporaryName,
  wrapWriteErrors,
  writeAll,
  writeFailure,
  writePending,
} from './pending-file.ts';
export { createTemporaryFolder } from './temporary-folder.ts';
// Integrity
export { checksumOf, type ChecksumOptions, fileChecksum } from './integrity/file-checksum.ts';
export {
  fileVersion,
  requireUnchangedInPlace,
  requireVersion,
  requireVersions,
  versionOf,
} from './integrity/file-version.ts';
export {
  forgetVerified,
  isVerified,
  lastUsed,
  markUsed,
  markVerified,
  type RecordedFile,
  type Verdict,
  verifyOnce,
} from './integrity/verified-file.ts';
// Network
export { type Fetch, proxyFetch, proxyFor } from './proxy.ts';
// Processes and locks
export {
  abandonedTemporaries,
  isAbandoned,
  observedStillness,
  readObservations,
  removeAbandonedTemporaries,
  temporaryOwner,
  writeObservations,
} from './abandoned.ts';
export { moduleExecArgv } from './modules/module-exec-argv.ts';
export { moduleUrl, requireFrom } from './modules/module-url.ts';
export { isRunning, processIdOf, processName } from './process-identity.ts';
export {
  acquireLock,
  isAbandonedLock,
  LOCK_EXTENSION,
  type LockOptions,
  removeAbandonedLock,
  type WorkLock,
} from './work-lock.ts';
