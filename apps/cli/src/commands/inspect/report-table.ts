import { listNames } from '@blip2/blip2';

import { oneLine } from '../../output/one-line.ts';
import type { CheckpointReport, MemoryReport, PartReport, PrecisionSize, TaskReport } from './checkpoint-report.ts';
import { PRECISIONS } from './precision-report.ts';

/** The report as a table for people. */
export function reportTable(report: CheckpointReport): string {
  const { image, tokens, layers, hiddenSizes, bytes } = report;
  const rows: (readonly [string, string])[] = [['model', oneLine(report.model)]];
  if (report.architecture)
    rows.push([
      'architecture',
      oneLine(`${report.architecture}${report.languageModel ? `, language model ${report.languageModel}` : ''}`),
    ]);
  if (image)
    rows.push([
      'image',
      `${image.size} x ${image.size} pixels, ${image.patches} patches of ${image.patchSize} x ${image.patchSize}`,
    ]);
  if (tokens)
    rows.push([
      'tokens',
      `${tokens.queries} queries per image${tokens.vocabulary ? `, vocabulary ${count(tokens.vocabulary)}` : ''}${tokens.positions ? `, at most ${count(tokens.positions)} positions` : ''}`,
    ]);
  if (layers && hiddenSizes)
    rows.push([
      'layers x width',
      `vision ${layers.vision} x ${hiddenSizes.vision}, Q-Former ${layers.qformer} x ${hiddenSizes.qformer}${layers.language ? `, language ${layers.language} x ${hiddenSizes.language}` : ''}`,
    ]);
  if (report.parts)
    rows.push(...report.parts.map((part) => [part.part, partLine(part)] as const), [
      'in all',
      `${count(report.parameters ?? 0)} parameters in ${report.files} file${report.files === 1 ? '' : 's'}`,
    ]);
  if (report.origin)
    rows.push([
      'names',
      report.origin === 'lavis'
        ? 'of LAVIS; the vision encoder and the language model may lie elsewhere'
        : 'of the Hugging Face layout',
    ]);
  if (report.missing?.length)
    rows.push(['missing', `${count(report.missing.length)} tensors: ${oneLine(listNames(report.missing))}`]);
  if (report.unexpected?.length)
    rows.push(['not read', `${count(report.unexpected.length)} tensors: ${oneLine(listNames(report.unexpected))}`]);
  if (bytes) rows.push(['size', `${size(bytes.stored)} stored`]);
  if (report.download)
    rows.push([
      'download',
      `${size(report.download.missingBytes)} to bring, licence ${report.download.licence ? oneLine(report.download.licence) : 'not named'}; only configuration and headers were read`,
    ]);
  const { precisions, memory } = report;
  if (precisions && memory)
    rows.push(
      ...PRECISIONS.map(
        (precision) =>
          [`in ${precision}`, precisionLine(precisions[precision], memory.byPrecision[precision])] as const,
      ),
      ['memory', memoryLine(memory)],
    );
  if (report.tasks) rows.push(...taskRows(report.tasks));
  rows.push(['runs', report.unsupported.length > 0 ? 'no' : `yes, in ${report.runs.join(', ')}`]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

function partLine({ parameters, bytes, tensors, dtypes }: PartReport): string {
  return `${count(parameters)} parameters, ${size(bytes)}, ${tensors} tensors in ${dtypes.join(', ')}`;
}

function precisionLine(
  { bytes, convertedBytes }: PrecisionSize,
  { neededBytes, fits }: MemoryReport['byPrecision']['fp32'],
): string {
  const made = convertedBytes > 0 ? `, ${size(convertedBytes)} of it made once and kept` : ', read where it lies';
  return `${size(bytes)} of weights${made}; needs about ${size(neededBytes)} of memory, which ${fits ? 'fits' : 'does not fit'}`;
}

function memoryLine({ mappedBytes, totalBytes, availableBytes, fits, byPrecision }: MemoryReport): string {
  const smaller = PRECISIONS.filter((precision) => byPrecision[precision].fits);
  const mend = smaller.length > 0 ? `use ${smaller.join(', ')}` : 'in no precision';
  const mapped = mappedBytes > 0 ? `; in fp32 ${size(mappedBytes)} are mapped from the files` : '';
  return `this machine has ${size(totalBytes)}, ${size(availableBytes)} of them free${fits ? '' : `; fp32 does not fit: weights would be read from disk again and again, or the process ends (${mend})`}${mapped}`;
}

/** Tasks that need the same parts in one row. */
function taskRows(tasks: readonly TaskReport[]): (readonly [string, string])[] {
  const byParts = new Map<string, string[]>();
  for (const { task, parts } of tasks) byParts.set(parts.join(', '), [...(byParts.get(parts.join(', ')) ?? []), task]);
  return [...byParts].map(([parts, names]) => ['loads', `${parts}: ${names.join('; ')}`]);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power > 0 ? 1 : 0)} ${units[power]}`;
}
