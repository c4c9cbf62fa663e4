import type { Environment } from '../environment.ts';
import type { ModelOptions, ReportOptions } from '../options/common-options.ts';
import { createDownloadReport } from './download-report.ts';
import { revisionOf } from './revision-of.ts';

/**
 * The folder of a model: a folder, or a hub id, which is downloaded if the cache lacks it.
 * @throws Blip2Error as `resolveSource` of `@blip2/hub`.
 */
export async function resolveModelFolder(
  source: string,
  options: Pick<ReportOptions, 'quiet'> & Pick<ModelOptions, 'offline' | 'revision'>,
  environment: Environment,
  signal: AbortSignal,
): Promise<string> {
  const revision = await revisionOf(source, options.revision);
  const { resolveSource } = await import('@blip2/hub');
  const report = await createDownloadReport(environment, { quiet: options.quiet === true, progress: true });
  return resolveSource(source, {
    ...revision,
    localFilesOnly: options.offline === true,
    signal,
    onPlan: report.onPlan,
    onProgress: report.onProgress,
  }).finally(report.clear);
}
