import { kindOf, kindsMarkdown, processorsText } from './kinds-of-machines.ts';
import { counted, fixed, markdownTable, ratio } from './markdown.ts';
import { otherResults } from './other-results.ts';
import {
  type BenchFile,
  benchResults,
  type BenchRow,
  readResult,
  resultNames,
  type ScalingFile,
} from './result-files.ts';

/** From `docs/benchmarks.md` to the result files. */
const RESULTS_LINK = '../tools/benchmarks/results';
/** Columns of a table of settings: title, measure, decimals, divisor. */
const COLUMNS: readonly (readonly [title: string, measure: string, digits: number, divisor: number])[] = [
  ['load, s', 'loadMs', 1, 1000],
  ['start to first caption, s', 'firstCaptionMs', 1, 1000],
  ['second caption, s', 'secondCaptionMs', 2, 1000],
  ['vision, ms', 'visionMs', 0, 1],
  ['Q-Former, ms', 'qformerMs', 0, 1],
  ['prompt, ms', 'prefillMs', 0, 1],
  ['token, ms', 'tokenMs', 0, 1],
  ['**caption, s**', 'captionMs', 2, 1000],
  ['5 beams, s', 'beams5Ms', 2, 1000],
  ['captions/s, batch of 8', 'batch8CaptionsPerSecond', 2, 1],
  ['peak, GiB', 'peakMiB', 1, 1024],
  ['anonymous, GiB', 'rssAnonMiB', 1, 1024],
];
/** The measures of the small table in the README. */
const SMALL_MEASURES = ['captionMs', 'tokenMs', 'firstCaptionMs', 'batch8CaptionsPerSecond', 'peakMiB'];
/** The settings of this library in the small table. */
const SMALL_SETTINGS = ['fp32', 'fast', 'small'];
/** The run whose results the README shows. */
const SMALL_RUN = 'bench-opt-2.7b';
const SIDES = { ours: 'ours', pytorch: 'PyTorch', llama: 'llama.cpp' } as const;

/** Name of the bar chart of a run. */
export function chartFile(name: string): string {
  return `${name.replace('bench-', 'caption-')}.svg`;
}

/** Name of a side and setting in tables and charts. */
export function rowName({ side, setting }: BenchRow): string {
  return `${SIDES[side]} \`${setting}\``;
}

/** The value of a measure; NaN if the row lacks it. */
export function measureOf(row: BenchRow, measure: string): number {
  const value = row[measure];
  return typeof value === 'number' ? value : NaN;
}

/** All speed tables, for `docs/benchmarks.md`. */
export function speedMarkdown(): string {
  const results = benchResults();
  return [kindsMarkdown(results), ...results.map(([name, file]) => runMarkdown(name, file)), otherResults(link)].join(
    '\n\n',
  );
}

/** The small speed table, for the README. */
export function smallSpeedMarkdown(): string {
  const file = readResult<BenchFile>(SMALL_RUN);
  const { shape, newTokens, machine, versions } = file;
  const torch = `torch ${versions['torch']}, Transformers ${versions['transformers']}`;
  return [
    `Captions of ${newTokens} tokens, random weights of the ${shape} shape, ` +
      `on ${machine.cores} cores of ${machine.cpu}; ${torch}:`,
    settingsTable(
      file.rows.filter(({ side, setting }) => side !== 'ours' || SMALL_SETTINGS.includes(setting)),
      SMALL_MEASURES,
    ),
  ].join('\n\n');
}

function runMarkdown(name: string, file: BenchFile): string {
  const { rows, note = '', machine, shape } = file;
  return [
    `### ${shape} on ${kindOf(machine)}`,
    description(name, file),
    note,
    settingsTable(
      rows,
      COLUMNS.map(([, measure]) => measure),
    ),
    comparison(rows),
    bandwidthRatios(rows, machine),
    `![Time per caption by setting](${RESULTS_LINK}/${chartFile(name)})`,
    scaling(name.replace('bench-', 'scaling-')),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function description(
  name: string,
  { command, newTokens, rounds, blocks, machine, versions, shape }: BenchFile,
): string {
  const torch =
    versions['torch'] === undefined ? '' : `, torch ${versions['torch']}, Transformers ${versions['transformers']}`;
  return [
    `Random weights of the ${shape} shape, captions of ${newTokens} tokens; ` +
      'every caption includes decoding and preprocessing of the image.',
    `CPU features: ${machine.features.join(', ')}. ` +
      `${fixed(machine.memoryGiB, 0)} GiB of memory, bandwidth ${fixed(machine.bandwidthGBs, 1)} GB/s.` +
      processorsText(machine),
    `Node ${versions['node']}, onnxruntime ${versions['onnxruntime']}${torch}.`,
    `Medians of ${counted(rounds, 'round')} in ${counted(blocks, 'block')}; ` +
      `${link(name)} has the ranges. Command: \`${command}\`.`,
  ].join('\n');
}

function settingsTable(rows: readonly BenchRow[], measures: readonly string[]): string {
  // Results of earlier versions lack some measures.
  const has = (measure: string): boolean => rows.some((row) => !Number.isNaN(measureOf(row, measure)));
  const columns = measures.flatMap((measure) => COLUMNS.filter(([, own]) => own === measure && has(measure)));
  const oursFirst = [...rows.filter(({ side }) => side === 'ours'), ...rows.filter(({ side }) => side !== 'ours')];
  return markdownTable(
    ['', ...columns.map(([title]) => `>${title}`)],
    oursFirst.map((row) => [
      rowName(row),
      ...columns.map(([, measure, digits, divisor]) => {
        const value = measureOf(row, measure);
        return Number.isNaN(value) ? '' : fixed(value / divisor, digits);
      }),
    ]),
  );
}

/** Speed-ups: each setting of this library against each of PyTorch. */
function comparison(rows: readonly BenchRow[]): string {
  const [ours, theirs] = [rows.filter(({ side }) => side === 'ours'), rows.filter(({ side }) => side === 'pytorch')];
  if (theirs.length === 0) return '';
  const against = (speedup: (other: BenchRow) => number): string =>
    theirs.map((other) => `${ratio(speedup(other))} (${other.setting})`).join(', ');
  const table = markdownTable(
    ['ours', 'caption', 'token', 'start to first caption', 'batch of 8'],
    ours.map((own) => [
      `\`${own.setting}\``,
      ...['captionMs', 'tokenMs', 'firstCaptionMs'].map((measure) =>
        against((other) => measureOf(other, measure) / measureOf(own, measure)),
      ),
      against((other) => measureOf(own, 'batch8CaptionsPerSecond') / measureOf(other, 'batch8CaptionsPerSecond')),
    ]),
  );
  return `Speed-up over PyTorch:\n\n${table}`;
}

/** Token latency relative to the time that reading the weights once takes. */
function bandwidthRatios(rows: readonly BenchRow[], { bandwidthGBs }: { readonly bandwidthGBs: number }): string {
  const ratios = rows.map((row) => {
    const readMs = row.readBytesPerToken / bandwidthGBs / 1e6;
    return `${rowName(row)} ${fixed(measureOf(row, 'tokenMs') / readMs, 2)}`;
  });
  return `Token latency relative to the memory-bandwidth bound (1.0 = weights streamed once): ${ratios.join(', ')}.`;
}

function scaling(name: string): string {
  if (!resultNames().includes(name)) return '';
  const { dtype } = readResult<ScalingFile>(name);
  return [
    `Scaling with batch size, prompt length, new tokens and threads at \`${dtype}\`: ${link(name)}.`,
    `![Scaling of times](${RESULTS_LINK}/${name}.svg)`,
  ].join('\n\n');
}

function link(name: string): string {
  return `[${name}](${RESULTS_LINK}/${name}.json)`;
}
