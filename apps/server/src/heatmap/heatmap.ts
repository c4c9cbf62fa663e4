import { type ImageScore, occlusionMap, type OcclusionMode } from '@blip2/blip2';
import { defined, type ImageSource } from '@blip2/interfaces';
import { type BlipImageProcessor, expectFloatPixels } from '@blip2/processor';

/** How a retrieval checkpoint scores: by its matching head, or by the cosine of features. */
export type ScoreBy = 'itm' | 'itc';

/** What a heat map is of. */
export interface HeatmapSubject {
  readonly text: string;
  /** The text answers it; generation checkpoints only. Absent: the text describes the image. */
  readonly question?: string | undefined;
  /** Retrieval checkpoints only. Default: `itm`. */
  readonly by?: ScoreBy | undefined;
}

/** How the image is covered. */
export interface HeatmapOptions {
  readonly signal: AbortSignal;
  readonly mode: OcclusionMode;
  /** Cells along each side of the map. */
  readonly cells: number;
  /** Called after each batch with the number of scored images and their total. */
  readonly onProgress: (done: number, total: number) => void;
}

/** The contribution of each region of an image to the score of a text. */
export interface Heatmap {
  readonly rows: number;
  readonly columns: number;
  /** Row by row from the top left, in the unit of the score; negative where the region lowers it. */
  readonly values: readonly number[];
  /** The score of the whole image. */
  readonly score: number;
  /** Log-odds of matching, cosine, or log-probability of generating the text. */
  readonly kind: ScoreBy | 'writing';
  /** Number of images that were scored. */
  readonly runs: number;
}

/** Side of a window as a share of the image's side, as in `blip2 heatmap`. */
const WINDOW_SHARE = 1 / 4;

/**
 * Computes the heat map of a score by covering region after region.
 * @throws Blip2Error the codes of `occlusionMap` and of the score.
 */
export async function computeHeatmap(
  image: ImageSource,
  { processor, score, kind }: { processor: BlipImageProcessor; score: ImageScore; kind: Heatmap['kind'] },
  { signal, mode, cells, onProgress }: HeatmapOptions,
): Promise<Heatmap> {
  const { pixelValues } = await processor.process([image], { signal });
  const windowCells = Math.max(1, Math.round(cells * WINDOW_SHARE));
  const options = defined({ signal, mode, cells, windowCells, onProgress });
  const { map, score: whole, runs } = await occlusionMap(expectFloatPixels(pixelValues), score, options);
  const [rows, columns] = map.dims;
  return { rows, columns, values: [...map.data], score: whole, kind, runs };
}
