import { fixed } from './markdown.ts';
import { type BenchFile, benchResults, readResult, resultNames, type ScalingFile } from './result-files.ts';
import { scalingPlot } from './scaling-plot.ts';
import { chartFile, measureOf, rowName } from './speed-tables.ts';
import { barsSvg } from './svg-plot.ts';

/** All charts of the results as SVG text, by file name: a bar chart per run, and the scaling plots. */
export function charts(): Readonly<Record<string, string>> {
  const bars = benchResults().map(([name, file]) => [chartFile(name), captionChart(file)]);
  const scaling = resultNames()
    .filter((name) => name.startsWith('scaling-'))
    .map((name) => [`${name}.svg`, scalingPlot(readResult<ScalingFile>(name))]);
  return Object.fromEntries([...bars, ...scaling]);
}

function captionChart({ shape, rows, newTokens, machine }: BenchFile): string {
  const bars = rows
    .map((row) => ({ row, captionMs: measureOf(row, 'captionMs') }))
    .filter(({ captionMs }) => !Number.isNaN(captionMs))
    .toSorted((a, b) => a.captionMs - b.captionMs)
    .map(({ row, captionMs }) => ({
      name: rowName(row).replaceAll('`', ''),
      group: row.side,
      value: captionMs,
      text: `${fixed(captionMs / 1000, 2)} s`,
    }));
  return barsSvg(`One caption of ${newTokens} tokens, ${shape} shape, ${machine.cores} cores of ${machine.cpu}`, bars);
}
