import type { Environment } from '../environment.ts';
import type { ReportOptions } from '../options/common-options.ts';
import { createDownloadReport } from './download-report.ts';

/**
 * The folder of a model: a folder, or a hub id, which is downloaded if the cache lacks it.
 * @throws Blip2Error as `resolveSource` of `@blip2/hub`.
 */
export async function resolveModelFolder(
  source: string,
  options: Pick<ReportOptions, 'quiet'> & { readonly offline?: boolean },
  environment: Environment,
  signal: AbortSignal,
): Promise<string> {
  const { resolveSource } = await import('@blip2/hub');
  const report = await createDownloadReport(environment, { quiet: options.quiet === true, progress: true });
  return resolveSource(source, {
    localFilesOnly: options.offline === true,
    signal,
    onPlan: report.onPlan,
    onProgress: report.onProgress,
  }).finally(report.clear);
}
