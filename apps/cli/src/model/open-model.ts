import { realpath } from 'node:fs/promises';

import type { ModelHosts } from '@blip2/blip2/hosts';
import { defined } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { createDownloadReport } from '../hub/download-report.ts';
import { DEFAULT_ISOLATE, type ModelOptions, type ReportOptions } from '../options/common-options.ts';
import { DEMO_MODEL_NOTICE } from './demo-model.ts';
import { withInstructBlipHint } from './instructblip-hint.ts';
import type { ModelKind } from './model-kinds.ts';
import { type ModelSource, revisionOf, sourceOf, sourcesIn } from './model-source.ts';
import type { LoadNumbers, RunNumbers } from './run-numbers.ts';

type OpenOptions = ModelOptions & ReportOptions & LoadNumbers & { readonly progress?: boolean };

/**
 * Starts the threads or processes that the model of the options runs in. They load their modules while this thread
 * loads the library. A module of the user may replace the parts, so that nothing is started for one.
 */
export async function startHosts(
  { ahead }: Pick<ModelKind<AsyncDisposable>, 'ahead'>,
  { module, isolate = DEFAULT_ISOLATE }: ModelOptions,
  environment: Environment,
): Promise<ModelHosts | undefined> {
  if (!ahead || module !== undefined || isolate === 'inline') return undefined;
  return environment.startHosts?.({ isolate, language: ahead === 'all' });
}

/** What is known before a model is loaded. */
export interface Ahead {
  /** Threads that were started for it. */
  readonly hosts?: ModelHosts | undefined;
  /** Whether it will process more than one input. Default: false. */
  readonly repeated?: boolean;
  /** Numbers of the run, which the model completes. Default: those of the options. */
  readonly numbers?: RunNumbers;
}

/**
 * Loads the model of the options, in hosts if they were started before. The default is the demo, with a notice on
 * stderr.
 */
export async function openModel<Model extends AsyncDisposable>(
  kind: ModelKind<Model>,
  options: OpenOptions,
  environment: Environment,
  signal: AbortSignal,
  { hosts: started, repeated = false, numbers }: Ahead = {},
): Promise<Model> {
  const hosts = started ?? (await startHosts(kind, options, environment));
  const { adapter: adapters, dtype, device, isolate, module } = options;
  const { threads, rows } = numbers?.current ?? options;
  const source = sourceOf(options, kind);
  if (options.quiet !== true && (await usesDemo(source, kind.demoFolder))) environment.stderr.write(DEMO_MODEL_NOTICE);
  const revision = await revisionOf(source, options.revision);
  const report = await createDownloadReport(environment, {
    quiet: options.quiet === true,
    progress: options.progress !== false,
  });
  const loading = kind.loadFrom(environment)(source, {
    ...defined({ adapters, dtype, device, threads, rows, isolate, module, hosts }),
    ...(numbers && { onThreads: (chosen) => numbers.choose({ threads: chosen }) }),
    ...(repeated && { repeated }),
    ...revision,
    localFilesOnly: options.offline === true,
    signal,
    onPlan: report.onPlan,
    onProgress: report.onProgress,
  });
  return withInstructBlipHint(loading).finally(report.clear);
}

async function usesDemo(source: ModelSource, demoFolder: string): Promise<boolean> {
  const [demo, ...given] = await Promise.all(
    [demoFolder, ...sourcesIn(source)].map((folder) => realpath(folder).catch(() => folder)),
  );
  return given.some((folder) => folder === demo);
}
