import type { OcclusionMap, OcclusionOptions, QueryAttentionOptions } from '@blip2/blip2';
import type { RgbImage } from '@blip2/interfaces';

import type { LoadSettings } from './model-port.ts';
import type { ModelSource } from './model-source.ts';

/** The quantity that a heatmap shows. */
export type HeatmapSubject = AttentionSubject | OcclusionSubject;

/** The attention of the Q-Former's queries to each patch, in one layer or as the mean of all. */
export interface AttentionSubject extends Pick<QueryAttentionOptions, 'layer'> {
  readonly method: 'attention';
}

/** The contribution of each region to the score of a text. */
export interface OcclusionSubject extends Pick<OcclusionOptions, 'mode' | 'cells' | 'batchSize'> {
  readonly method: 'occlusion';
  readonly text: string;
  /** The question that the text answers; for generation checkpoints. */
  readonly question?: string;
  /** For retrieval checkpoints. */
  readonly by?: 'itm' | 'itc';
}

/** Log-odds that image and text match, their cosine, or the log-probability of generating the text. */
export type ScoreKind = 'itm' | 'itc' | 'writing';

export interface Heatmap {
  /** A PNG of the image's size: the map drawn over the image. */
  readonly overlay: Uint8Array;
  /** `[rows, columns]`: attention in [0, 1], or occlusion in the unit of the score. */
  readonly map: Pick<OcclusionMap['map'], 'dims' | 'data'>;
  /** The score of the whole image; for occlusion. */
  readonly score?: { readonly kind: ScoreKind; readonly value: number };
  /** Number of images that went through the model. */
  readonly runs: number;
}

export interface DrawOptions {
  readonly signal: AbortSignal;
  /** Called with the number of finished runs. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A checkpoint loaded for heatmaps of one subject. */
export interface HeatmapModel extends AsyncDisposable {
  draw(image: RgbImage, options: DrawOptions): Promise<Heatmap>;
}

export type LoadHeatmapModel = (
  source: ModelSource,
  subject: HeatmapSubject,
  settings: LoadSettings,
) => Promise<HeatmapModel>;
