import type { Environment } from '../environment.ts';
import { mapSource, type ModelSource, revisionOf } from '../model/model-source.ts';
import type { ModelOptions, ReportOptions } from '../options/common-options.ts';
import { createDownloadReport } from './download-report.ts';

/**
 * A model whose sources are folders: those that are given, and those of hub ids, which are downloaded if the cache
 * lacks them.
 * @throws Blip2Error as `resolveSource` of `@blip2/hub`.
 */
export async function resolveModelSource(
  source: ModelSource,
  options: Pick<ReportOptions, 'quiet'> & Pick<ModelOptions, 'offline' | 'revision'>,
  environment: Environment,
  signal: AbortSignal,
): Promise<ModelSource> {
  const revision = await revisionOf(source, options.revision);
  const { resolveSource } = await import('@blip2/hub');
  const report = await createDownloadReport(environment, { quiet: options.quiet === true, progress: true });
  return mapSource(source, (each) =>
    resolveSource(each, {
      ...revision,
      localFilesOnly: options.offline === true,
      signal,
      onPlan: report.onPlan,
      onProgress: report.onProgress,
    }),
  ).finally(report.clear);
}
