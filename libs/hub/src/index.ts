export {
  type CachedModel,
  type CachedRevision,
  listCachedModels,
  planPrune,
  pruneCache,
  type PrunePlan,
  removeCachedModel,
} from './cached-models.ts';
export { offlineError } from './cached-snapshot.ts';
export { downloadModel, type DownloadOptions } from './download-model.ts';
export { fetchStart, type RemoteFile } from './fetch-start.ts';
export { type HubIo, hubIo } from './hub-io.ts';
export { type HubSession } from './hub-request.ts';
export { hubCacheFolder, type HubOptions, hubSettings } from './hub-settings.ts';
export { inParallel } from './in-parallel.ts';
export {
  DEFAULT_REVISION,
  type DownloadPlan,
  planDownload,
  type PlannedFile,
  type PlanOptions,
  prepareDownload,
} from './plan-download.ts';
export { isRepositoryId } from './repository-id.ts';
export { type ResolveOptions, resolveProcessorSource, resolveSource, type SourceResolver } from './resolve-source.ts';
export { type VerifiedFile, verifyCachedModel, type VerifyOptions } from './verify-model.ts';
