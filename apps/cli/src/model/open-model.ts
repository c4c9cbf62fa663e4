import { realpath } from 'node:fs/promises';

import { defined } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { createDownloadReport } from '../hub/download-report.ts';
import { revisionOf } from '../hub/revision-of.ts';
import type { ModelOptions, ReportOptions } from '../options/common-options.ts';
import { DEMO_MODEL_NOTICE } from './demo-model.ts';
import { withInstructBlipHint } from './instructblip-hint.ts';
import type { ModelKind } from './model-kinds.ts';

/** Loads the model of the options. The default is the demo, with a notice on stderr. */
export async function openModel<Model extends AsyncDisposable>(
  kind: ModelKind<Model>,
  options: ModelOptions & ReportOptions & { readonly progress?: boolean },
  environment: Environment,
  signal: AbortSignal,
): Promise<Model> {
  const { model: source = kind.demoFolder, adapter: adapters, dtype, device, threads, module } = options;
  if (options.quiet !== true && (await isDemo(source, kind.demoFolder))) environment.stderr.write(DEMO_MODEL_NOTICE);
  const revision = await revisionOf(source, options.revision);
  const report = await createDownloadReport(environment, {
    quiet: options.quiet === true,
    progress: options.progress !== false,
  });
  const loading = kind.loadFrom(environment)(source, {
    ...defined({ adapters, dtype, device, threads, module }),
    ...revision,
    localFilesOnly: options.offline === true,
    signal,
    onPlan: report.onPlan,
    onProgress: report.onProgress,
  });
  return withInstructBlipHint(loading).finally(report.clear);
}

async function isDemo(source: string, demoFolder: string): Promise<boolean> {
  const [given, demo] = await Promise.all([source, demoFolder].map((folder) => realpath(folder).catch(() => folder)));
  return given === demo;
}
