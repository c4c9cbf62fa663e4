import { listNames } from '@blip2/blip2';

import { byteSize, oneLine } from '../../output/display-text.ts';
import type {
  CheckpointReport,
  MemoryReport,
  PartReport,
  PartSizes,
  PrecisionSize,
  TaskReport,
} from './checkpoint-report.ts';
import { PRECISIONS } from './precision-report.ts';
import { threadsText } from './thread-report.ts';

/** Components with layers, and their names in the table. */
const SIZED_PARTS: readonly (readonly [part: keyof PartSizes, name: string])[] = [
  ['vision', 'vision'],
  ['qformer', 'Q-Former'],
  ['language', 'language'],
];

type Row = readonly [name: string, value: string];

/** Formats the report as a table for people. */
export function reportTable(report: CheckpointReport): string {
  const rows: readonly Row[] = [
    ['model', oneLine(report.model)],
    ...architectureRows(report),
    ...weightRows(report),
    ...precisionRows(report),
    ...(report.threads ? [['threads', threadsText(report.threads)] as const] : []),
    ...taskRows(report.tasks ?? []),
    ['runs', verdict(report)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

function verdict({ unsupported, tasks, runs }: CheckpointReport): string {
  if (unsupported.length === 0) return `yes, in ${runs.join(', ')}`;
  return tasks?.length ? `only ${tasks.map(({ task }) => task).join('; ')}` : 'no';
}

function architectureRows({
  architecture,
  languageModel,
  image,
  tokens,
  layers,
  hiddenSizes,
}: CheckpointReport): Row[] {
  const rows: Row[] = [];
  if (architecture)
    rows.push(['architecture', oneLine(architecture + (languageModel ? `, language model ${languageModel}` : ''))]);
  if (image) {
    const { size, patchSize, patches } = image;
    rows.push(['image', `${size} x ${size} pixels, ${patches} patches of ${patchSize} x ${patchSize}`]);
  }
  if (tokens) {
    const vocabulary = tokens.vocabulary ? `, vocabulary ${count(tokens.vocabulary)}` : '';
    const positions = tokens.positions ? `, at most ${count(tokens.positions)} positions` : '';
    const queries = tokens.queries ? `, ${tokens.queries} queries per image` : '';
    rows.push(['tokens', `${queries}${vocabulary}${positions}`.slice(', '.length)]);
  }
  if (layers && hiddenSizes) {
    const sizes = SIZED_PARTS.flatMap(([part, name]) =>
      layers[part] === undefined ? [] : [`${name} ${layers[part]} x ${hiddenSizes[part]}`],
    );
    rows.push(['layers x width', sizes.join(', ')]);
  }
  return rows;
}

function weightRows({
  parts,
  parameters,
  files,
  origin,
  missing,
  unexpected,
  bytes,
  download,
}: CheckpointReport): Row[] {
  const rows: Row[] = [];
  if (parts) {
    rows.push(...parts.map((part): Row => [part.part, partLine(part)]));
    rows.push(['total', `${count(parameters ?? 0)} parameters in ${files} file${files === 1 ? '' : 's'}`]);
  }
  if (origin)
    rows.push([
      'names',
      origin === 'lavis'
        ? 'LAVIS; the vision encoder and the language model may be in other files'
        : 'Hugging Face layout',
    ]);
  if (missing?.length) rows.push(['missing', tensorList(missing)]);
  if (unexpected?.length) rows.push(['not read', tensorList(unexpected)]);
  if (bytes) rows.push(['size', `${byteSize(bytes.stored)} stored`]);
  if (download) {
    const licence = download.licence ? oneLine(download.licence) : 'not declared';
    const missingBytes = byteSize(download.missingBytes);
    rows.push(['download', `${missingBytes}, licence ${licence}; of the weights only headers were read`]);
  }
  return rows;
}

function tensorList(names: readonly string[]): string {
  return `${count(names.length)} tensors: ${oneLine(listNames(names))}`;
}

function precisionRows({ precisions, memory }: CheckpointReport): Row[] {
  if (!precisions || !memory) return [];
  return [
    ...PRECISIONS.map((precision): Row => {
      return [`in ${precision}`, precisionLine(precisions[precision], memory.byPrecision[precision])];
    }),
    ['memory', memoryLine(memory)],
  ];
}

function partLine({ parameters, bytes, tensors, dtypes }: PartReport): string {
  return `${count(parameters)} parameters, ${byteSize(bytes)}, ${tensors} tensors in ${dtypes.join(', ')}`;
}

function precisionLine(
  { bytes, convertedBytes }: PrecisionSize,
  { neededBytes, fits }: MemoryReport['byPrecision']['fp32'],
): string {
  const converted =
    convertedBytes > 0 ? `${byteSize(convertedBytes)} of them converted once and cached` : 'not converted';
  const needed = `needs about ${byteSize(neededBytes)} of memory, which ${fits ? 'fits' : 'does not fit'}`;
  return `${byteSize(bytes)} of weights, ${converted}; ${needed}`;
}

function memoryLine({ mappedBytes, totalBytes, availableBytes, fits, byPrecision }: MemoryReport): string {
  const fitting = PRECISIONS.filter((precision) => byPrecision[precision].fits);
  const advice = fitting.length > 0 ? `use ${fitting.join(', ')}` : 'no precision fits';
  const tooLarge = `; fp32 does not fit: weights would be reread from disk, or the process would be killed (${advice})`;
  const mapped = mappedBytes > 0 ? `; in fp32, ${byteSize(mappedBytes)} are mapped in place` : '';
  return `this machine has ${byteSize(totalBytes)}, ${byteSize(availableBytes)} free${fits ? '' : tooLarge}${mapped}`;
}

/** One row per set of components, with the tasks that load it. */
function taskRows(tasks: readonly TaskReport[]): Row[] {
  const byParts = new Map<string, string[]>();
  for (const { task, parts } of tasks) byParts.set(parts.join(', '), [...(byParts.get(parts.join(', ')) ?? []), task]);
  return [...byParts].map(([parts, names]) => ['loads', `${parts}: ${names.join('; ')}`]);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
