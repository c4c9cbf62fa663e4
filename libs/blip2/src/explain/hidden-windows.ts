import type { PixelValues } from '@blip2/interfaces';

/** What covers the image inside a window. */
export type WindowFill = 'blur' | 'mean' | 'grey';

/** A rectangle of the image in pixels, ends exclusive. */
export interface Window {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/**
 * The pixels under `count` cells of a grid with `cells` cells along a side of `pixels` pixels, clipped at the border.
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

/** Copies of one image `[1, 3, height, width]`, each with one window replaced by the pixels of `cover`. */
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

/** The image that windows are filled from. `radius` is that of the blur, in pixels. */
export function coverOf(
  { dims: [, channels, height, width], data }: PixelValues,
  fill: WindowFill,
  radius: number,
): Float32Array {
  // Pixels are normalised: 0 is the mean of the images that the encoder was trained on.
  if (fill === 'grey') return new Float32Array(data.length);
  const plane = height * width;
  const cover = new Float32Array(data.length);
  for (let channel = 0; channel < channels; channel++) {
    const pixels = data.subarray(channel * plane, (channel + 1) * plane);
    cover.set(fill === 'mean' ? meanOf(pixels) : blurred(pixels, height, width, radius), channel * plane);
  }
  return cover;
}

function meanOf(pixels: Float32Array): Float32Array {
  return pixels.map(() => 0).fill(pixels.reduce((sum, pixel) => sum + pixel, 0) / pixels.length);
}

/** Two box filters per direction: close to a Gaussian, at a cost independent of the radius. */
function blurred(pixels: Float32Array, height: number, width: number, radius: number): Float32Array {
  let out: Float32Array = pixels;
  for (let pass = 0; pass < 2; pass++) {
    out = boxFiltered(out, { lines: height, length: width, lineStep: width, step: 1 }, radius);
    out = boxFiltered(out, { lines: width, length: height, lineStep: 1, step: width }, radius);
  }
  return out;
}

/** The lines of one direction in a plane, as strides. */
interface Lines {
  readonly lines: number;
  readonly length: number;
  readonly lineStep: number;
  readonly step: number;
}

/** Means over `2 · radius + 1` neighbours, fewer at the borders. */
function boxFiltered(pixels: Float32Array, { lines, length, lineStep, step }: Lines, radius: number): Float32Array {
  const out = new Float32Array(pixels.length);
  const sums = new Float64Array(length + 1);
  for (let line = 0; line < lines; line++) {
    const start = line * lineStep;
    for (let at = 0; at < length; at++) sums[at + 1] = sums[at]! + pixels[start + at * step]!;
    for (let at = 0; at < length; at++) {
      const [from, to] = [Math.max(0, at - radius), Math.min(length, at + radius + 1)];
      out[start + at * step] = (sums[to]! - sums[from]!) / (to - from);
    }
  }
  return out;
}
