import { Blip2Error, type PixelValues } from '@blip2/interfaces';

import { coverOf, hideWindows, spanOf, type Window, type WindowFill } from './hidden-windows.ts';
import type { ImageScore } from './image-scores.ts';
import type { AttentionMap } from './query-attention.ts';

/** What is done to the region under a window: it alone is hidden, it alone is left, or first one and then the other. */
export type OcclusionMode = 'hide' | 'keep' | 'both';

/** How an image is covered, and how finely. */
export interface OcclusionOptions {
  /**
   * `hide` (default): by how much the score falls without the region. For texts that fit the whole image. `keep`: by
   * how much the score of an empty image rises when it
   * has this region alone; finds one thing among several, which the model may not accept as a text of the whole.
   * `both`: their sum, at the cost of both.
   */
  readonly mode?: OcclusionMode;
  /** Cells along each side of the map. Default 16. */
  readonly cells?: number;
  /** Cells along each side of a window, which is moved by one cell. Default 4. */
  readonly windowCells?: number;
  /** What hides: the image's mean colour (default), the image blurred, or grey. */
  readonly fill?: WindowFill;
  /** Images that are scored together. Default 8. */
  readonly batchSize?: number;
  /** Hears after each batch how many images of all have been scored. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

/** A map, and what it cost. */
export interface OcclusionMap {
  /**
   * What the score owes to each cell, mean of the windows over it, in the unit of the score: `[cells, cells]`; negative
   * where the region speaks against the text.
   */
  readonly map: AttentionMap;
  /** The score of the whole image. */
  readonly score: number;
  /**
   * Images that were scored: with n = `(cells + windowCells - 1)²`, n + 1 for `hide`, n + 2 for `keep`, 2n + 2 for
   * `both`.
   */
  readonly runs: number;
}

/** How these point on the demo scenes: `tools/benchmarks/results/heatmap-pointing.json`. */
const DEFAULTS = { mode: 'hide', cells: 16, windowCells: 4, fill: 'mean', batchSize: 8 } as const;

/**
 * Which regions of one image a score rests on: windows are slid over the image, and the map shows what the score owes
 * to the region under each (occlusion, Zeiler and
 * Fergus, arXiv 1311.2901, section 3). It shows what each region does alone; not what two regions do together that say
 * the same, and nothing smaller than a window.
 * Where the score says that the text does not fit, a map of `hide` means little: there is nothing to lose.
 *
 * @throws Blip2Error `SHAPE_MISMATCH` for more images than one; `INVALID_ARGUMENT` for grids and batches that cannot
 * be.
 */
export async function occlusionMap(
  pixelValues: PixelValues,
  score: ImageScore,
  options: OcclusionOptions = {},
): Promise<OcclusionMap> {
  const { onProgress, signal, ...settings } = options;
  const { mode, cells, windowCells, fill, batchSize } = { ...DEFAULTS, ...settings };
  const [batch, , height, width] = pixelValues.dims;
  if (batch !== 1)
    throw new Blip2Error('SHAPE_MISMATCH', 'A map is of one image', {
      where: 'pixelValues',
      expected: '[1, 3, height, width]',
      got: `[${pixelValues.dims.join(', ')}]`,
    });
  expectWhole('cells', cells, Math.min(height, width));
  expectWhole('windowCells', windowCells, cells);
  expectWhole('batchSize', batchSize, Infinity);
  const cover: PixelValues = {
    ...pixelValues,
    data: coverOf(pixelValues, fill, Math.max(1, Math.round((Math.min(height, width) * windowCells) / cells / 2))),
  };
  const windows = windowsOf(height, width, cells, windowCells);
  const passes = [
    ...(mode === 'keep'
      ? [{ under: pixelValues, over: cover, windows: [NOWHERE] }]
      : [{ under: pixelValues, over: cover, windows: [NOWHERE, ...windows] }]),
    ...(mode === 'hide' ? [] : [{ under: cover, over: pixelValues, windows: [NOWHERE, ...windows] }]),
  ];
  const total = passes.reduce((sum, pass) => sum + pass.windows.length, 0);
  const results: number[][] = [];
  let done = 0;
  for (const pass of passes) {
    const scores: number[] = [];
    for (let begin = 0; begin < pass.windows.length; begin += batchSize) {
      signal?.throwIfAborted();
      scores.push(
        ...(await score(
          hideWindows(pass.under, pass.over.data, pass.windows.slice(begin, begin + batchSize)),
          signal ? { signal } : {},
        )),
      );
      onProgress?.(done + scores.length, total);
    }
    results.push(scores);
    done += scores.length;
  }
  const [[whole = NaN, ...hidden] = [], [bare = NaN, ...kept] = []] = results;
  const shares = windows.map(
    (_, index) =>
      (mode === 'keep' ? 0 : whole - (hidden[index] ?? NaN)) + (mode === 'hide' ? 0 : (kept[index] ?? NaN) - bare),
  );
  return { map: meanPerCell(shares, cells, windowCells), score: whole, runs: total };
}

const NOWHERE: Window = { top: 0, bottom: 0, left: 0, right: 0 };

/** Windows at every cell, also those that reach beyond the border, so that every cell is under as many. */
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

function meanPerCell(shares: readonly number[], cells: number, windowCells: number): AttentionMap {
  const windowsPerSide = cells + windowCells - 1;
  const data = new Float32Array(cells * cells);
  for (let cell = 0; cell < data.length; cell++) {
    const [row, column] = [Math.floor(cell / cells), cell % cells];
    let sum = 0;
    for (let down = 0; down < windowCells; down++) {
      for (let across = 0; across < windowCells; across++)
        sum += shares[(row + down) * windowsPerSide + column + across] ?? NaN;
    }
    data[cell] = sum / windowCells ** 2;
  }
  return { type: 'float32', dims: [cells, cells], data };
}

/**
 * Values as `overlayHeatmap` takes them: what is negative is 0, the largest is 1. All zeros where no value is positive.
 */
export function positiveShare({ dims, data }: AttentionMap): AttentionMap {
  const largest = data.reduce((most, value) => Math.max(most, value), 0);
  return { type: 'float32', dims, data: data.map((value) => (largest > 0 ? Math.max(0, value) / largest : 0)) };
}

function expectWhole(where: string, value: number, largest: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= largest) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'Impossible number', {
    where,
    expected: Number.isFinite(largest) ? `1 to ${largest}` : 'a whole number above 0',
    got: String(value),
  });
}
