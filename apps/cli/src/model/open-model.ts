import { realpath } from 'node:fs/promises';

import type { Environment } from '../environment.ts';
import { createDownloadReport } from '../hub/download-report.ts';
import type { ModelOptions, ReportOptions } from '../options/common-options.ts';
import { DEMO_MODEL_NOTICE, demoModelFolder, demoRetrievalFolder } from './demo-model.ts';
import type { HeatmapModel, HeatmapSubject } from './heatmap-port.ts';
import { namingTakers } from './instructblip-hint.ts';
import type { EmbeddingModel, EmbedPart, Load, RetrievalModel, TaskModel } from './model-port.ts';

/** A kind of checkpoint: how it is loaded, and the demo that is one. */
export interface ModelKind<Model extends AsyncDisposable> {
  readonly demoFolder: string;
  readonly loadFrom: (environment: Environment) => Load<Model>;
}

export const generationKind: ModelKind<TaskModel> = {
  demoFolder: demoModelFolder,
  loadFrom: ({ loadModel }) => loadModel,
};
export const retrievalKind: ModelKind<RetrievalModel> = {
  demoFolder: demoRetrievalFolder,
  loadFrom: ({ loadRetrievalModel }) => loadRetrievalModel,
};
/** Any checkpoint with this part; the demo is one that has it. */
export function embeddingKind(part: EmbedPart): ModelKind<EmbeddingModel> {
  return {
    demoFolder: part === 'projection' ? demoModelFolder : demoRetrievalFolder,
    loadFrom:
      ({ loadEmbeddingModel }) =>
      (source, settings) =>
        loadEmbeddingModel(source, part, settings),
  };
}

/** Any checkpoint; of the demos the one that judges texts, unless there is a question to answer or no text at all. */
export function heatmapKind(subject: HeatmapSubject): ModelKind<HeatmapModel> {
  const isJudged = subject.method === 'occlusion' && subject.question === undefined;
  return {
    demoFolder: isJudged ? demoRetrievalFolder : demoModelFolder,
    loadFrom:
      ({ loadHeatmapModel }) =>
      (source, settings) =>
        loadHeatmapModel(source, subject, settings),
  };
}

/** Loads the model that the options name, or the demo, which says what it is. */
export async function openModel<Model extends AsyncDisposable>(
  kind: ModelKind<Model>,
  options: ModelOptions & ReportOptions & { readonly progress?: boolean },
  environment: Environment,
  signal: AbortSignal,
): Promise<Model> {
  const source = options.model ?? kind.demoFolder;
  if (options.quiet !== true && (await isDemo(source, kind.demoFolder))) environment.stderr.write(DEMO_MODEL_NOTICE);
  const report = createDownloadReport(environment, {
    quiet: options.quiet === true,
    progress: options.progress !== false,
  });
  const loading = kind.loadFrom(environment)(source, {
    ...(options.dtype !== undefined && { dtype: options.dtype }),
    ...(options.device !== undefined && { device: options.device }),
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.module !== undefined && { module: options.module }),
    localFilesOnly: options.offline === true,
    signal,
    onPlan: report.onPlan,
    onProgress: report.onProgress,
  });
  return namingTakers(loading).finally(report.clear);
}

async function isDemo(source: string, demoFolder: string): Promise<boolean> {
  const [given, demo] = await Promise.all([source, demoFolder].map((folder) => realpath(folder).catch(() => folder)));
  return given === demo;
}
