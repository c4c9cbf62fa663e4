import { Blip2Error, type RgbImage } from '@blip2/interfaces';

import { colourTable } from './colour-table.ts';
import type { AttentionMap } from './query-attention.ts';

/** How a map is laid over an image. */
export interface OverlayOptions {
  /** Share of the colours, in [0, 1]; the rest is the image. Default 0.6. */
  readonly opacity?: number;
}

const DEFAULT_OPACITY = 0.6;
const CHANNELS = 3;
const LARGEST_LEVEL = 255;

/**
 * An image with a map over it, in its own size: the map is stretched over the whole image (as the image processor
 * shrinks the whole image), bilinearly
 * between the centres of its cells, and coloured from dark blue (0) over green to yellow (1). `[height, width, 3]`
 * levels.
 *
 * @throws Blip2Error `INVALID_ARGUMENT` for an opacity outside [0, 1]; `SHAPE_MISMATCH` for a map without cells or
 * values that do not fill it.
 */
export function overlayHeatmap(
  { dims: [height, width], data: levels }: RgbImage,
  map: AttentionMap,
  { opacity = DEFAULT_OPACITY }: OverlayOptions = {},
): RgbImage {
  if (!(opacity >= 0 && opacity <= 1))
    throw new Blip2Error('INVALID_ARGUMENT', 'An opacity is a share', {
      where: 'opacity',
      expected: '0 to 1',
      got: String(opacity),
    });
  const [rows, columns] = map.dims;
  if (rows < 1 || columns < 1 || map.data.length !== rows * columns) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The map does not hold a value per cell', {
      where: 'map',
      expected: `${rows} x ${columns} values`,
      got: String(map.data.length),
    });
  }
  const [across, down] = [stepsOf(columns, width), stepsOf(rows, height)];
  const data = new Uint8Array(height * width * CHANNELS);
  let out = 0;
  for (const vertical of down) {
    for (const horizontal of across) {
      const colour =
        Math.round(LARGEST_LEVEL * Math.min(1, Math.max(0, valueAt(map, vertical, horizontal)))) * CHANNELS;
      for (let channel = 0; channel < CHANNELS; channel++, out++)
        data[out] = Math.round(levels[out]! * (1 - opacity) + colourTable[colour + channel]! * opacity);
    }
  }
  return { type: 'uint8', dims: [height, width, CHANNELS], data };
}

/** Between which two cells a pixel lies, and how far from the first. */
interface Step {
  readonly low: number;
  readonly high: number;
  readonly share: number;
}

/** One step per pixel; outside the outermost centres the map is constant. */
function stepsOf(cells: number, pixels: number): Step[] {
  return Array.from({ length: pixels }, (_, pixel) => {
    const at = Math.min(cells - 1, Math.max(0, ((pixel + 0.5) * cells) / pixels - 0.5));
    const low = Math.floor(at);
    return { low, high: Math.min(low + 1, cells - 1), share: at - low };
  });
}

function valueAt({ dims: [, columns], data }: AttentionMap, vertical: Step, horizontal: Step): number {
  const inRow = (row: number): number =>
    data[row * columns + horizontal.low]! * (1 - horizontal.share) +
    data[row * columns + horizontal.high]! * horizontal.share;
  return inRow(vertical.low) * (1 - vertical.share) + inRow(vertical.high) * vertical.share;
}
