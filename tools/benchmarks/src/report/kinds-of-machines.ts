import { counted, markdownTable, ratio } from './markdown.ts';
import type { BenchFile, BenchRow } from './result-files.ts';

/** Columns of the comparison: title, measure, and whether more is better. */
const MEASURES: readonly (readonly [title: string, measure: string, isRate?: boolean])[] = [
  ['caption', 'captionMs'],
  ['vision', 'visionMs'],
  ['prompt', 'prefillMs'],
  ['token', 'tokenMs'],
  ['5 beams', 'beams5Ms'],
  ['batch of 8', 'batch8CaptionsPerSecond', true],
  ['start to first caption', 'firstCaptionMs'],
];
/** The fastest setting of each side that has both memory and speed in view. */
const [OURS, THEIRS] = ['fast', 'int8'] as const;

type BenchResult = readonly [name: string, file: BenchFile];

/** The kind of a machine, for titles. */
export function kindOf({ cores, cpu, features, quota, coreKinds }: BenchFile['machine']): string {
  const hasVnni = features.includes('avx_vnni') || features.includes('avx512_vnni');
  const physical = coreKinds?.reduce((sum, kind) => sum + kind.cores, 0);
  const shared = physical === undefined || physical === cores ? '' : ` (${counted(physical, 'physical core')})`;
  const limit = quota === undefined ? '' : `, quota ${quota}`;
  return `${counted(cores, 'core')}${shared} of ${cpu}${hasVnni ? '' : ', no VNNI'}${limit}`;
}

/** What the threads of a run were chosen from; empty for results of earlier versions. */
export function processorsText({ processors, coreKinds, quota, threads }: BenchFile['machine']): string {
  if (processors === undefined) return '';
  const kinds = coreKinds?.map(({ name, cores }) => `${cores} ${name}`).join(' + ');
  const chosen =
    threads === undefined
      ? "onnxruntime's own"
      : Object.entries(threads)
          .map(([name, value]) => `${name} ${value}`)
          .join(', ');
  const limit = quota === undefined ? '' : `, quota ${quota}`;
  return ` ${counted(processors, 'processor')}${kinds === undefined ? '' : ` (cores: ${kinds})`}${limit}; threads: ${chosen}.`;
}

/** The speed-ups of `fast` over PyTorch int8 on all kinds of machines, and where it is slower. */
export function kindsMarkdown(results: readonly BenchResult[]): string {
  const compared = results.flatMap(([, file]) => {
    const ours = rowOf(file, 'ours', OURS);
    const theirs = rowOf(file, 'pytorch', THEIRS);
    return ours && theirs ? [{ name: `${file.shape}, ${kindOf(file.machine)}`, ours, theirs }] : [];
  });
  if (compared.length === 0) return '';
  const rows = compared.map(({ name, ours, theirs }) => ({
    name,
    ratios: MEASURES.map(([, measure, isRate = false]) => {
      const [own, other] = [Number(ours[measure]), Number(theirs[measure])];
      return isRate ? own / other : other / own;
    }),
  }));
  const slower = rows.flatMap(({ name, ratios }) => {
    const titles = MEASURES.filter((_, at) => (ratios[at] ?? NaN) < 1).map(([title]) => title);
    return titles.length > 0 ? [`${name}: ${titles.join(', ')}`] : [];
  });
  return [
    `### Speed-up of \`${OURS}\` over PyTorch \`${THEIRS}\`, by kind of machine`,
    markdownTable(
      ['', ...MEASURES.map(([title]) => `>${title}`)],
      rows.map(({ name, ratios }) => [name, ...ratios.map((value) => (Number.isNaN(value) ? '' : ratio(value)))]),
    ),
    slower.length > 0 ? `Slower than PyTorch \`${THEIRS}\`: ${slower.join('; ')}.` : `Nowhere slower.`,
  ].join('\n\n');
}

function rowOf({ rows }: BenchFile, side: BenchRow['side'], setting: string): BenchRow | undefined {
  return rows.find((row) => row.side === side && row.setting === setting);
}
