import type { RgbImage } from '@blip2/interfaces';

import type { LoadSettings } from './model-port.ts';

/** What a map is to show. */
export type HeatmapSubject = AttentionSubject | OcclusionSubject;

/** Where the queries look; of one layer with cross-attention, counted from 0, or of all. */
export interface AttentionSubject {
  readonly method: 'attention';
  readonly layer?: number;
}

/** Which regions the score of a text rests on. */
export interface OcclusionSubject {
  readonly method: 'occlusion';
  readonly text: string;
  /** The text is the answer to it; of generation checkpoints. */
  readonly question?: string;
  /** Of retrieval checkpoints. */
  readonly by?: 'itm' | 'itc';
  readonly mode?: 'hide' | 'keep' | 'both';
  readonly cells?: number;
  readonly batchSize?: number;
}

/** What a score says: the log-odds that image and text match, a cosine, or the log-probability of writing the text. */
export type ScoreKind = 'itm' | 'itc' | 'writing';

export interface Heatmap {
  /** A PNG of the image's size, the map over the image. */
  readonly overlay: Uint8Array;
  /** `[rows, columns]`: of attention in [0, 1], of occlusion in the unit of the score. */
  readonly map: { readonly dims: readonly number[]; readonly data: Float32Array };
  /** Of the whole image; of occlusion. */
  readonly score?: { readonly kind: ScoreKind; readonly value: number };
  /** How often the image went through the model. */
  readonly runs: number;
}

export interface DrawOptions {
  readonly signal: AbortSignal;
  /** Hears how many runs of all are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A checkpoint that is asked for maps of one subject. */
export interface HeatmapModel extends AsyncDisposable {
  draw(image: RgbImage, options: DrawOptions): Promise<Heatmap>;
}

export type LoadHeatmapModel = (
  source: string,
  subject: HeatmapSubject,
  settings: LoadSettings,
) => Promise<HeatmapModel>;
