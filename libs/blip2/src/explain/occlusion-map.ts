import { Blip2Error, defined, expectKnownOptions, expectTensor, mustBe, type PixelValues } from '@blip2/interfaces';

import { PIXEL_AXES } from '../pipeline/image-inputs.ts';
import { coverOf, hideWindows, spanOf, type Window, type WindowFill } from './hidden-windows.ts';
import type { ImageScore } from './image-scores.ts';
import { type AttentionMap, notOneImage } from './query-attention.ts';

/** What happens to the region under a window: only it is hidden, only it is kept, or both in turn. */
export type OcclusionMode = 'hide' | 'keep' | 'both';

/** How the image is covered, and at which resolution. */
export interface OcclusionOptions {
  /**
   * `hide` (default): the drop of the score without the region, for texts that match the whole image. `keep`: the rise
   * of the score of a covered image with only this region visible, for one object among several, whose text may not
   * match the whole image. `both`: their sum, at the cost of both.
   */
  readonly mode?: OcclusionMode;
  /** Cells along each side of the map. Default: 16. */
  readonly cells?: number;
  /** Cells along each side of a window, which moves in steps of one cell. Default: 4. */
  readonly windowCells?: number;
  /** What covers the region: the mean colour of the image (default), the blurred image, or grey. */
  readonly fill?: WindowFill;
  /** Number of images per batch. Default: 8. */
  readonly batchSize?: number;
  /** Called after each batch with the number of scored images and their total. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Aborts between two batches. */
  readonly signal?: AbortSignal;
}

const OPTIONS: Readonly<Record<keyof OcclusionOptions, true>> = {
  mode: true,
  cells: true,
  windowCells: true,
  fill: true,
  batchSize: true,
  onProgress: true,
  signal: true,
};

/** An occlusion map. */
export interface OcclusionMap {
  /**
   * The contribution of each cell to the score, as the mean over its windows, in the unit of the score: `[cells,
   * cells]`. Negative where the region lowers the score.
   */
  readonly map: AttentionMap;
  /** The score of the whole image. */
  readonly score: number;
  /**
   * Number of scored images: with n = `(cells + windowCells - 1)²`, n + 1 for `hide`, n + 2 for `keep`, 2n + 2 for
   * `both`.
   */
  readonly runs: number;
}

/** Their accuracy on the demo scenes: `tools/benchmarks/results/heatmap-pointing.json`. */
const DEFAULTS = { mode: 'hide', cells: 16, windowCells: 4, fill: 'mean', batchSize: 8 } as const;

/**
 * Maps the contribution of each region of an image to a score by sliding a window over it (occlusion; Zeiler and
 * Fergus,
 * arXiv 1311.2901, section 3). The map shows the effect of each region alone: it misses regions that are redundant with
 * each other, and details smaller than a window. A map of `hide` means little if the text does not match the image in
 * the first place.
 * @throws Blip2Error `SHAPE_MISMATCH` for more than one image; `INVALID_ARGUMENT` for a grid or batch size out of
 * range; `NOT_FINITE` if image or scores are not finite.
 */
export async function occlusionMap(
  pixelValues: PixelValues,
  score: ImageScore,
  options: OcclusionOptions = {},
): Promise<OcclusionMap> {
  expectKnownOptions('occlusionMap', options, Object.keys(OPTIONS));
  expectTensor('pixelValues', pixelValues, PIXEL_AXES);
  if (typeof score !== 'function') throw mustBe('score', 'a function of images', score);
  const { onProgress, signal, ...settings } = options;
  const { mode, cells, windowCells, fill, batchSize } = { ...DEFAULTS, ...settings };
  const [batch, , height, width] = pixelValues.dims;
  if (batch !== 1) throw notOneImage(pixelValues);
  expectOneOf('mode', mode, ['hide', 'keep', 'both']);
  expectOneOf('fill', fill, ['mean', 'blur', 'grey']);
  expectInteger('cells', cells, Math.min(height, width));
  expectInteger('windowCells', windowCells, cells);
  expectInteger('batchSize', batchSize, Infinity);
  const cover: PixelValues = {
    ...pixelValues,
    data: coverOf(pixelValues, fill, Math.max(1, Math.round((Math.min(height, width) * windowCells) / cells / 2))),
  };
  const windows = windowsOf(height, width, cells, windowCells);
  const passes = [
    ...(mode === 'keep'
      ? [{ image: pixelValues, cover, windows: [EMPTY_WINDOW] }]
      : [{ image: pixelValues, cover, windows: [EMPTY_WINDOW, ...windows] }]),
    ...(mode === 'hide' ? [] : [{ image: cover, cover: pixelValues, windows: [EMPTY_WINDOW, ...windows] }]),
  ];
  const total = passes.reduce((sum, pass) => sum + pass.windows.length, 0);
  const results: number[][] = [];
  let done = 0;
  for (const pass of passes) {
    const scores: number[] = [];
    for (let begin = 0; begin < pass.windows.length; begin += batchSize) {
      signal?.throwIfAborted();
      const batchWindows = pass.windows.slice(begin, begin + batchSize);
      const images = hideWindows(pass.image, pass.cover.data, batchWindows);
      scores.push(...expectScores(await score(images, defined({ signal })), batchWindows.length));
      onProgress?.(done + scores.length, total);
    }
    results.push(scores);
    done += scores.length;
  }
  const [[whole = NaN, ...hidden] = [], [covered = NaN, ...kept] = []] = results;
  const contributions = windows.map(
    (_, index) =>
      (mode === 'keep' ? 0 : whole - (hidden[index] ?? NaN)) + (mode === 'hide' ? 0 : (kept[index] ?? NaN) - covered),
  );
  return { map: meanPerCell(contributions, cells, windowCells), score: whole, runs: total };
}

/** The results of a score, which may be a function of the caller. */
function expectScores(scores: readonly number[], images: number): readonly number[] {
  if (!Array.isArray(scores) || scores.length !== images)
    throw new Blip2Error('SHAPE_MISMATCH', 'score must return one number per image', {
      argument: 'score',
      expected: String(images),
      got: Array.isArray(scores) ? String(scores.length) : typeof scores,
    });
  const invalid = scores.find((value) => !Number.isFinite(value));
  if (invalid !== undefined)
    throw new Blip2Error('NOT_FINITE', `The score returned a value that is not finite (${invalid})`, {
      argument: 'score',
      subject: 'score',
      fix: 'It must return a finite number for each image',
    });
  return scores;
}

function expectOneOf(argument: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) throw mustBe(argument, `one of ${known.join(', ')}`, value);
}

/** Covers nothing: the score of the unchanged image. */
const EMPTY_WINDOW: Window = { top: 0, bottom: 0, left: 0, right: 0 };

/** Windows at every cell, also beyond the border, so that every cell is covered by equally many. */
function windowsOf(height: number, width: number, cells: number, windowCells: number): Window[] {
  const firsts = Array.from({ length: cells + windowCells - 1 }, (_, index) => index - windowCells + 1);
  return firsts.flatMap((row) =>
    firsts.map((column) => {
      const [[top, bottom], [left, right]] = [
        spanOf(height, cells, row, windowCells),
        spanOf(width, cells, column, windowCells),
      ];
      return { top, bottom, left, right };
    }),
  );
}

function meanPerCell(contributions: readonly number[], cells: number, windowCells: number): AttentionMap {
  const windowsPerSide = cells + windowCells - 1;
  const data = new Float32Array(cells * cells);
  for (let cell = 0; cell < data.length; cell++) {
    const [row, column] = [Math.floor(cell / cells), cell % cells];
    let sum = 0;
    for (let down = 0; down < windowCells; down++) {
      for (let across = 0; across < windowCells; across++)
        sum += contributions[(row + down) * windowsPerSide + column + across] ?? NaN;
    }
    data[cell] = sum / windowCells ** 2;
  }
  return { type: 'float32', dims: [cells, cells], data };
}

/** The positive values of a map divided by the largest, for `overlayHeatmap`; negative ones become 0. */
export function positiveShare({ dims, data }: AttentionMap): AttentionMap {
  const largest = data.reduce((most, value) => Math.max(most, value), 0);
  return { type: 'float32', dims, data: data.map((value) => (largest > 0 ? Math.max(0, value) / largest : 0)) };
}

function expectInteger(argument: string, value: number, largest: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= largest) return;
  throw mustBe(argument, Number.isFinite(largest) ? `an integer from 1 to ${largest}` : 'a positive integer', value);
}
