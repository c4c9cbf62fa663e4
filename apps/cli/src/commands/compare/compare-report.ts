import { hundredth, jsonLine, oneLine } from '../../output/display-text.ts';
import { type Agreement, agreementOf } from './agreement.ts';
import type { ImageRun, PrecisionRun } from './precision-run.ts';

/** One precision on one image, compared with the first precision. */
interface Line extends Agreement, Pick<ImageRun, 'text' | 'tokenIds'> {
  readonly dtype: string;
}

interface Summary {
  readonly dtype: string;
  readonly loadMs: number;
  /** Per image. */
  readonly encodeMs: number;
  /** Per token, with the prefill spread over all tokens. */
  readonly tokenMs: number;
  readonly memoryMiB: number;
}

/** Formats the results of `blip2 compare`: the captions and agreements per image, then the costs of each precision. */
export function compareReport(
  paths: readonly string[],
  names: readonly string[],
  runs: readonly PrecisionRun[],
  json: boolean,
): string {
  const summary = runs.map((run, index) => summaryOf(names[index] ?? '', run));
  const images = paths.map((path, index) => [path, linesOf(index, names, runs)] as const);
  if (json)
    return [...images.map(([image, precisions]) => ({ image, precisions })), { summary }]
      .map((line) => jsonLine(line))
      .join('');
  const texts = images.map(([image, lines]) => `${oneLine(image)}\n${lines.map(lineText).join('')}`);
  return `${texts.join('')}\n${summary.map(summaryText).join('')}`;
}

function linesOf(index: number, names: readonly string[], runs: readonly PrecisionRun[]): Line[] {
  const first = runs[0]?.images[index];
  return runs.flatMap(({ images }, run) => {
    const other = images[index];
    if (!first || !other) return [];
    const { text, tokenIds } = other;
    return [{ dtype: names[run] ?? '', text, tokenIds, ...agreementOf(first, other) }];
  });
}

function summaryOf(dtype: string, { loadMs, memoryMiB, images }: PrecisionRun): Summary {
  const tokens = images.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const generateMs = images.reduce((sum, image) => sum + image.generateMs, 0);
  // The first image also creates the sessions.
  const encodes = (images.length > 1 ? images.slice(1) : images).map(({ encodeMs }) => encodeMs);
  const encodeMs = encodes.reduce((sum, ms) => sum + ms, 0) / encodes.length;
  return {
    dtype,
    loadMs: hundredth(loadMs),
    encodeMs: hundredth(encodeMs),
    tokenMs: hundredth(generateMs / Math.max(1, tokens)),
    memoryMiB: Math.round(memoryMiB),
  };
}

function lineText({ dtype, text, sameTokens, tokens, logitError }: Line, index: number): string {
  const distance =
    index === 0 ? [] : [`tokens ${sameTokens}/${tokens}`, `logit error ${(100 * logitError).toFixed(1)} %`];
  return `  ${[dtype, oneLine(text), ...distance].join('\t')}\n`;
}

function summaryText({ dtype, loadMs, encodeMs, tokenMs, memoryMiB }: Summary): string {
  const times = [`load ${loadMs.toFixed(0)} ms`, `encode ${encodeMs.toFixed(0)} ms`, `token ${tokenMs.toFixed(1)} ms`];
  return `${[dtype, ...times, `memory ${memoryMiB} MiB`].join('\t')}\n`;
}
