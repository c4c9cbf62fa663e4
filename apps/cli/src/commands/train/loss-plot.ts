const BARS = '▁▂▃▄▅▆▇█';

/** Losses as bars on one line, each the mean of as many steps as share it; the height is that of its logarithm. */
export function lossPlot(losses: readonly number[], width: number): string {
  const columns = Math.min(width, losses.length);
  const means = Array.from({ length: columns }, (_, column) => {
    const [from, to] = [column, column + 1].map((edge) => Math.floor((edge * losses.length) / columns));
    const slice = losses.slice(from, to);
    return slice.reduce((sum, loss) => sum + loss, 0) / slice.length;
  });
  const heights = means.map((mean) => Math.log(Math.max(mean, Number.MIN_VALUE)));
  const [least, most] = [Math.min(...heights), Math.max(...heights)];
  return heights
    .map((height) => {
      const share = most > least ? (height - least) / (most - least) : 0;
      return BARS[Math.min(BARS.length - 1, Math.floor(share * BARS.length))] ?? '';
    })
    .join('');
}
