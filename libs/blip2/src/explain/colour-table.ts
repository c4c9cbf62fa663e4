/**
 * Equidistant colours from low to high, dark blue through green to yellow (viridis of matplotlib). Lightness increases
 * throughout, so that the map also works in greyscale and for colour-blind readers.
 */
const ANCHORS: readonly (readonly [red: number, green: number, blue: number])[] = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [110, 206, 88],
  [181, 222, 43],
  [253, 231, 37],
];
const ENTRIES = 256;
const CHANNELS = 3;

/** The colour table: 8-bit RGB values `[256, 3]`, lowest value first. */
export const colourTable: Readonly<Uint8Array> = Uint8Array.from({ length: ENTRIES * CHANNELS }, (_, index) => {
  const at = (Math.floor(index / CHANNELS) / (ENTRIES - 1)) * (ANCHORS.length - 1);
  const low = Math.min(Math.floor(at), ANCHORS.length - 2);
  const channel = index % CHANNELS;
  const [from, to] = [ANCHORS[low]![channel]!, ANCHORS[low + 1]![channel]!];
  return Math.round(from + (to - from) * (at - low));
});
