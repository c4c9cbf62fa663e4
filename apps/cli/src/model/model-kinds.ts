import { defined } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { demoModelFolder, demoRetrievalFolder } from './demo-model.ts';
import type { HeatmapModel, HeatmapSubject } from './heatmap-port.ts';
import type { EmbeddingModel, FeaturePart, Load, RetrievalModel, TaskModel } from './model-port.ts';
import type { SourceName } from './model-source.ts';

/** A kind of checkpoint: its loader, and the demo of this kind. */
export interface ModelKind<Model extends AsyncDisposable> {
  readonly demoFolder: string;
  /** The parts for which threads are started ahead. Default: none. */
  readonly ahead?: 'vision' | 'all';
  /** Parts that it never loads, so that a source of theirs makes no sense. */
  readonly unused?: readonly SourceName[];
  readonly loadFrom: (environment: Environment) => Load<Model>;
}

export const generationKind: ModelKind<TaskModel> = {
  demoFolder: demoModelFolder,
  ahead: 'all',
  loadFrom: ({ loadModel }) => loadModel,
};

export const retrievalKind: ModelKind<RetrievalModel> = {
  demoFolder: demoRetrievalFolder,
  ahead: 'vision',
  unused: ['language'],
  loadFrom: ({ loadRetrievalModel }) => loadRetrievalModel,
};

/** Any checkpoint with this component. */
export function embeddingKind(part: FeaturePart, layer?: number): ModelKind<EmbeddingModel> {
  return {
    demoFolder: part === 'projection' || part === 'language' ? demoModelFolder : demoRetrievalFolder,
    ahead: part === 'language' ? 'all' : 'vision',
    unused: part === 'language' ? [] : ['language'],
    loadFrom:
      ({ loadEmbeddingModel }) =>
      (source, settings) =>
        loadEmbeddingModel(source, part, { ...settings, ...defined({ layer }) }),
  };
}

/**
 * Any checkpoint. The demo is the retrieval checkpoint for a text without a question, else the generation checkpoint.
 */
export function heatmapKind(subject: HeatmapSubject): ModelKind<HeatmapModel> {
  const isMatched = subject.method === 'occlusion' && subject.question === undefined;
  return {
    demoFolder: isMatched ? demoRetrievalFolder : demoModelFolder,
    unused: subject.method === 'attention' ? ['language'] : [],
    loadFrom:
      ({ loadHeatmapModel }) =>
      (source, settings) =>
        loadHeatmapModel(source, subject, settings),
  };
}
