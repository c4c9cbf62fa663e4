import { listNames } from '@blip2/blip2';
import { oneLine } from '../output/one-line.ts';
import type { CheckpointReport, MemoryReport, PartReport, Precision } from './checkpoint-report.ts';

/** The report as a table for people. */
export function reportTable(report: CheckpointReport): string {
  const { image, tokens, layers, hiddenSizes, bytes } = report;
  const rows: (readonly [string, string])[] = [['model', oneLine(report.model)]];
  if (report.architecture) rows.push(['architecture', oneLine(`${report.architecture}${report.languageModel ? `, language model ${report.languageModel}` : ''}`)]);
  if (image) rows.push(['image', `${image.size} x ${image.size} pixels, ${image.patches} patches of ${image.patchSize} x ${image.patchSize}`]);
  if (tokens) rows.push(['tokens', `${tokens.queries} queries per image${tokens.vocabulary ? `, vocabulary ${count(tokens.vocabulary)}` : ''}${tokens.positions ? `, at most ${count(tokens.positions)} positions` : ''}`]);
  if (layers && hiddenSizes) rows.push(['layers x width', `vision ${layers.vision} x ${hiddenSizes.vision}, Q-Former ${layers.qformer} x ${hiddenSizes.qformer}${layers.language ? `, language ${layers.language} x ${hiddenSizes.language}` : ''}`]);
  if (report.parts) rows.push(...report.parts.map((part) => [part.part, partLine(part)] as const), ['in all', `${count(report.parameters ?? 0)} parameters in ${report.files} file${report.files === 1 ? '' : 's'}`]);
  if (report.origin) rows.push(['names', report.origin === 'lavis' ? 'of LAVIS; the vision encoder and the language model may lie elsewhere' : 'of the Hugging Face layout']);
  if (report.missing?.length) rows.push(['missing', `${count(report.missing.length)} tensors: ${oneLine(listNames(report.missing))}`]);
  if (report.unexpected?.length) rows.push(['not read', `${count(report.unexpected.length)} tensors: ${oneLine(listNames(report.unexpected))}`]);
  if (bytes) rows.push(['size', `${size(bytes.stored)} stored; about ${PRECISIONS.map((precision) => `${size(bytes[precision])} in ${precision}`).join(', ')}`]);
  if (report.memory) rows.push(['memory', memoryLine(report.memory)]);
  rows.push(['runs', report.unsupported.length > 0 ? 'no' : `yes, in ${report.runs.join(', ')}`]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

const PRECISIONS: readonly Precision[] = ['fp32', 'int8', 'q8', 'q4'];

function partLine({ parameters, bytes, tensors, dtypes }: PartReport): string {
  return `${count(parameters)} parameters, ${size(bytes)}, ${tensors} tensors in ${dtypes.join(', ')}`;
}

function memoryLine({ neededBytes, mappedBytes, totalBytes, availableBytes, fits }: MemoryReport): string {
  const mapped = mappedBytes > 0 ? ` (${size(mappedBytes)} of it mapped from the files)` : '';
  const verdict = fits ? (neededBytes <= availableBytes ? 'fits' : 'fits once others give memory back') : 'does not fit: weights will be read from disk again and again, or the process ends';
  return `about ${size(neededBytes)} in fp32${mapped}; this machine has ${size(totalBytes)}, ${size(availableBytes)} of them free: ${verdict}`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power > 0 ? 1 : 0)} ${units[power]}`;
}
