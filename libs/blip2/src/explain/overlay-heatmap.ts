import { Blip2Error, expectKnownOptions, isTensorLike, mustBe, type RgbImage } from '@blip2/interfaces';

import { colourTable } from './colour-table.ts';
import type { AttentionMap } from './query-attention.ts';

/** How a map is blended with an image. */
export interface OverlayOptions {
  /** Opacity of the map, in [0, 1]. Default: 0.6. */
  readonly opacity?: number;
}

const DEFAULT_OPACITY = 0.6;
const CHANNELS = 3;
const MAX_PIXEL_VALUE = 255;

/**
 * Blends an image with a map, at the size of the image: 8-bit pixel values `[height, width, 3]`. The map is stretched
 * over the whole image, as the image processor resizes it, interpolated bilinearly between the centres of its cells,
 * and
 * coloured from dark blue (0) through green to yellow (1).
 * @throws Blip2Error `INVALID_ARGUMENT` for an opacity outside [0, 1]; `SHAPE_MISMATCH` for a map without cells or with
 * another number of values.
 */
export function overlayHeatmap(image: RgbImage, map: AttentionMap, options: OverlayOptions = {}): RgbImage {
  expectKnownOptions('overlayHeatmap', options, ['opacity']);
  const { opacity = DEFAULT_OPACITY } = options;
  if (!(opacity >= 0 && opacity <= 1)) throw mustBe('opacity', 'a number from 0 to 1', opacity);
  if (!isTensorLike(image)) throw mustBe('image', 'pixel values [height, width, 3]', image);
  if (!isTensorLike(map)) throw mustBe('map', 'a map [rows, columns]', map);
  const {
    dims: [height, width],
    data: pixels,
  } = image;
  const [rows, columns] = map.dims;
  if (rows < 1 || columns < 1 || map.data.length !== rows * columns) {
    throw new Blip2Error('SHAPE_MISMATCH', 'map must have one value per cell', {
      argument: 'map',
      expected: `${rows} x ${columns} values`,
      got: String(map.data.length),
    });
  }
  const [across, down] = [interpolationsOf(columns, width), interpolationsOf(rows, height)];
  const data = new Uint8Array(height * width * CHANNELS);
  let out = 0;
  for (const vertical of down) {
    for (const horizontal of across) {
      const colour =
        Math.round(MAX_PIXEL_VALUE * Math.min(1, Math.max(0, valueAt(map, vertical, horizontal)))) * CHANNELS;
      for (let channel = 0; channel < CHANNELS; channel++, out++)
        data[out] = Math.round(pixels[out]! * (1 - opacity) + colourTable[colour + channel]! * opacity);
    }
  }
  return { type: 'uint8', dims: [height, width, CHANNELS], data };
}

/** The two cells that a pixel is interpolated between, and the weight of the second. */
interface Interpolation {
  readonly low: number;
  readonly high: number;
  readonly weight: number;
}

/** One step per pixel. Outside the outermost centres the map is constant. */
function interpolationsOf(cells: number, pixels: number): Interpolation[] {
  return Array.from({ length: pixels }, (_, pixel) => {
    const at = Math.min(cells - 1, Math.max(0, ((pixel + 0.5) * cells) / pixels - 0.5));
    const low = Math.floor(at);
    return { low, high: Math.min(low + 1, cells - 1), weight: at - low };
  });
}

function valueAt(
  { dims: [, columns], data }: AttentionMap,
  vertical: Interpolation,
  horizontal: Interpolation,
): number {
  const inRow = (row: number): number =>
    data[row * columns + horizontal.low]! * (1 - horizontal.weight) +
    data[row * columns + horizontal.high]! * horizontal.weight;
  return inRow(vertical.low) * (1 - vertical.weight) + inRow(vertical.high) * vertical.weight;
}
