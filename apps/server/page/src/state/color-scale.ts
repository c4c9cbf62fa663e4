/** Equidistant colors from low to high, as the library draws its maps (viridis of matplotlib). */
export const COLOR_STOPS: readonly (readonly [red: number, green: number, blue: number])[] = [
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

/** The color of a share in [0, 1]. */
export function colorOf(share: number): readonly [red: number, green: number, blue: number] {
  const at = Math.min(1, Math.max(0, share)) * (COLOR_STOPS.length - 1);
  const low = Math.min(Math.floor(at), COLOR_STOPS.length - 2);
  const [from, to] = [COLOR_STOPS[low] ?? [0, 0, 0], COLOR_STOPS[low + 1] ?? [0, 0, 0]];
  const between = (channel: 0 | 1 | 2): number =>
    Math.round(from[channel] + (to[channel] - from[channel]) * (at - low));
  return [between(0), between(1), between(2)];
}

/** The value at a point of a map, interpolated between the centres of its cells; `x` and `y` in [0, 1]. */
export function valueAt(
  { rows, columns, values }: { readonly rows: number; readonly columns: number; readonly values: readonly number[] },
  x: number,
  y: number,
): number {
  const [left, right, across] = between(x, columns);
  const [top, bottom, down] = between(y, rows);
  const inRow = (row: number): number =>
    (values[row * columns + left] ?? 0) * (1 - across) + (values[row * columns + right] ?? 0) * across;
  return inRow(top) * (1 - down) + inRow(bottom) * down;
}

function between(share: number, cells: number): readonly [low: number, high: number, weight: number] {
  const at = Math.min(cells - 1, Math.max(0, share * cells - 0.5));
  const low = Math.floor(at);
  return [low, Math.min(low + 1, cells - 1), at - low];
}
