import { hundredth } from '../../output/display-text.ts';
import { BENCH_METRICS, type BenchJob, type BenchMetric, type BenchSamples } from './bench-job.ts';

/** The results of one precision. */
export interface BenchRow {
  readonly job: BenchJob;
  readonly samples: BenchSamples;
  /** Milliseconds of converting the weights, which an earlier process did. */
  readonly convertMs?: number;
}

/** One line of JSON: medians by name, `ranges` with minimum and maximum, and all `samples`. */
export function benchJson({ job, samples, convertMs }: BenchRow): string {
  const metrics = metricNames();
  const medians = Object.fromEntries(metrics.map((name) => [name, hundredth(medianOf(samples[name]))]));
  const ranges = Object.fromEntries(metrics.map((name) => [name, rangeOf(samples[name]).map(hundredth)]));
  const rounded = Object.fromEntries(metrics.map((name) => [name, samples[name].map(hundredth)]));
  const conversion = convertMs === undefined ? {} : { convertMs: hundredth(convertMs) };
  return `${JSON.stringify({ ...job, ...conversion, ...medians, ranges, samples: rounded })}\n`;
}

/** A table for people: one line per metric, one column per precision, with the range if there are several values. */
export function benchTable(rows: readonly BenchRow[], title: string): string {
  const cells = [
    ['', ...rows.map(({ job }) => job.dtype)],
    ...metricNames().map((name) => [
      `${name}  ${BENCH_METRICS[name]}`,
      ...rows.map(({ samples }) => cell(name, samples[name])),
    ]),
  ];
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const lines = cells.map((line) =>
    line
      .map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  const converted = rows.flatMap(({ job, convertMs }) =>
    convertMs === undefined ? [] : [`${job.dtype}: weights converted once, in ${(convertMs / 1000).toFixed(1)} s\n`],
  );
  return `${title}\n${lines.join('\n')}\n${converted.join('')}`;
}

function metricNames(): BenchMetric[] {
  return Object.keys(BENCH_METRICS) as BenchMetric[];
}

function cell(name: BenchMetric, values: readonly number[]): string {
  const digits = name.endsWith('MiB') ? 0 : name.endsWith('Ms') ? 1 : 2;
  const [least, most] = rangeOf(values);
  return (
    medianOf(values).toFixed(digits) + (values.length > 1 ? ` (${least.toFixed(digits)}-${most.toFixed(digits)})` : '')
  );
}

/** The middle value, or the mean of the two in the middle. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low = NaN, high = NaN] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (low + high) / 2;
}

export function rangeOf(values: readonly number[]): readonly [least: number, most: number] {
  return [Math.min(...values), Math.max(...values)];
}
