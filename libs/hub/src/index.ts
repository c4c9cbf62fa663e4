export {
  type CachedModel,
  type CachedRevision,
  listCachedModels,
  planPrune,
  pruneCache,
  type PrunePlan,
  removeCachedModel,
} from './cache/cached-models.ts';
export { offlineError } from './cache/cached-snapshot.ts';
export { type VerifiedFile, verifyCachedModel, type VerifyOptions } from './cache/verify-model.ts';
export { fetchFirstBytes, type RemoteFile } from './client/fetch-first-bytes.ts';
export { type HubIo, hubIo } from './client/hub-io.ts';
export { type HubSession } from './client/hub-request.ts';
export { hubCacheFolder, type HubOptions, hubSettings } from './client/hub-settings.ts';
export { downloadModel, type DownloadOptions } from './download/download-model.ts';
export { inParallel } from './download/in-parallel.ts';
export {
  DEFAULT_REVISION,
  type DownloadFile,
  type DownloadPlan,
  planDownload,
  type PlanOptions,
  prepareDownload,
} from './download/plan-download.ts';
export { isRepositoryId } from './repository/repository-id.ts';
export { type ResolveOptions, resolveProcessorSource, resolveSource, type SourceResolver } from './resolve-source.ts';
