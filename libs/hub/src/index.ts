// Downloading
export { downloadModel, type DownloadOptions } from './download/download-model.ts';
export {
  type DownloadFile,
  type DownloadPlan,
  planDownload,
  type PlanOptions,
  type PreparedDownload,
  prepareDownload,
} from './download/plan-download.ts';
export { commitOfSnapshot, resolveCommit } from './resolve-commit.ts';
export {
  hubModel,
  type ResolveOptions,
  resolveProcessorSource,
  resolveSource,
  type SourceResolver,
} from './resolve-source.ts';
// The cache
export {
  type CachedModel,
  type CachedRevision,
  type CacheSize,
  cacheSize,
  listCachedModels,
} from './cache/cached-models.ts';
export { offlineError } from './cache/cached-snapshot.ts';
export { planPrune, pruneCache, type PrunePlan } from './cache/prune-cache.ts';
export { planRemoval, type Removal, removeCachedModel } from './cache/remove-model.ts';
export { type VerifiedFile, verifyCachedModel, type VerifyOptions } from './cache/verify-model.ts';
// Requests
export { fetchFirstBytes, type RemoteFile } from './client/fetch-first-bytes.ts';
export { type HubIo, hubIo } from './client/hub-io.ts';
export { type HubSession } from './client/hub-request.ts';
export { hubCacheFolder, type HubOptions, type HubSettings, hubSettings } from './client/hub-settings.ts';
export { inParallel } from './download/in-parallel.ts';
export { type HubModel, parseHubModel } from './repository/hub-model.ts';
export type { DownloadScope } from './repository/needed-files.ts';
export type { RepositoryFile } from './repository/repository-files.ts';
export { DEFAULT_REVISION, isRepositoryId } from './repository/repository-id.ts';
export type { FetchedIndex } from './repository/shard-files.ts';
