import type { PixelValues } from '@blip2/interfaces';

/** What stands in a window in place of the image. */
export type WindowFill = 'blur' | 'mean' | 'grey';

/** A part of the image in pixels, ends excluded. */
export interface Window {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/**
 * The window over some cells of a grid that divides a side of `pixels` pixels into `cells`; cells beyond the border do
 * not count.
 */
export function spanOf(
  pixels: number,
  cells: number,
  first: number,
  count: number,
): readonly [from: number, to: number] {
  const edge = (cell: number): number => Math.round((Math.min(cells, Math.max(0, cell)) * pixels) / cells);
  return [edge(first), edge(first + count)];
}

/** One image `[1, 3, height, width]` as many times as there are windows, in each a window taken from `cover`. */
export function hideWindows(
  { dims: [, channels, height, width], data }: PixelValues,
  cover: Float32Array,
  windows: readonly Window[],
): PixelValues {
  const size = channels * height * width;
  const hidden = new Float32Array(windows.length * size);
  windows.forEach(({ top, bottom, left, right }, index) => {
    hidden.set(data, index * size);
    for (let channel = 0; channel < channels; channel++) {
      for (let y = top; y < bottom; y++) {
        const row = (channel * height + y) * width;
        hidden.set(cover.subarray(row + left, row + right), index * size + row + left);
      }
    }
  });
  return { type: 'float32', dims: [windows.length, channels, height, width], data: hidden };
}

/** A whole image of what windows are filled with. `radius` is how far the blur reaches, in pixels. */
export function coverOf(
  { dims: [, channels, height, width], data }: PixelValues,
  fill: WindowFill,
  radius: number,
): Float32Array {
  // Normalised pixels: 0 is the mean level of the images that the encoder was trained on.
  if (fill === 'grey') return new Float32Array(data.length);
  const plane = height * width;
  const cover = new Float32Array(data.length);
  for (let channel = 0; channel < channels; channel++) {
    const levels = data.subarray(channel * plane, (channel + 1) * plane);
    cover.set(fill === 'mean' ? meanOf(levels) : blurred(levels, height, width, radius), channel * plane);
  }
  return cover;
}

function meanOf(levels: Float32Array): Float32Array {
  return levels.map(() => 0).fill(levels.reduce((sum, level) => sum + level, 0) / levels.length);
}

/** Two box filters in each direction: close to a Gaussian, and its cost does not grow with the radius. */
function blurred(levels: Float32Array, height: number, width: number, radius: number): Float32Array {
  let out: Float32Array = levels;
  for (let pass = 0; pass < 2; pass++) {
    out = boxFiltered(out, { lines: height, length: width, lineStep: width, step: 1 }, radius);
    out = boxFiltered(out, { lines: width, length: height, lineStep: 1, step: width }, radius);
  }
  return out;
}

/** How the lines of one direction lie in a plane. */
interface Lines {
  readonly lines: number;
  readonly length: number;
  readonly lineStep: number;
  readonly step: number;
}

/** Means over `2 radius + 1` neighbours, fewer at the borders. */
function boxFiltered(levels: Float32Array, { lines, length, lineStep, step }: Lines, radius: number): Float32Array {
  const out = new Float32Array(levels.length);
  const sums = new Float64Array(length + 1);
  for (let line = 0; line < lines; line++) {
    const start = line * lineStep;
    for (let at = 0; at < length; at++) sums[at + 1] = sums[at]! + levels[start + at * step]!;
    for (let at = 0; at < length; at++) {
      const [from, to] = [Math.max(0, at - radius), Math.min(length, at + radius + 1)];
      out[start + at * step] = (sums[to]! - sums[from]!) / (to - from);
    }
  }
  return out;
}
