import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { BLIP2 } from '../../repository.ts';
import { resultText } from '../json-program.ts';
import { PHOTOGRAPH, preprocessingTimes, writePhotographs } from './photographs.ts';

/** Milliseconds between two looks at the output file. */
const POLL_MS = 5;

/** One process that captioned a folder. */
interface CaptionRun {
  /** From the start of the process to its end. */
  readonly milliseconds: number;
  /** Peak resident memory, mapped weights included. */
  readonly peakMiB: number;
  /** When the output file had grown, and to how many lines. */
  readonly written: readonly { readonly count: number; readonly at: number }[];
}

/** A line of the JSON Lines output. The times of a batch are repeated in each of its lines. */
interface CaptionLine {
  readonly timings: { readonly preprocess: number; readonly encode: number; readonly generate: number };
}

/**
 * `batch-run.js MODEL [IMAGES] [DTYPE] [RESULT.json] [BATCH]`: the share of a caption run during which the model is
 * busy. Creates 12-megapixel photographs in a temporary folder, runs `blip2 caption` over them as a user would, and
 * compares the time from the first batch to the last with the sum of the model's times in the output.
 */
export async function command(args: readonly string[]): Promise<void> {
  const [model = '', images = '12', dtype = 'fast', result, batchSize = '4'] = args;
  const folder = mkdtempSync(join(tmpdir(), 'blip2-batch-'));
  try {
    const jpegBytes = await writePhotographs(folder, Number(images));
    const preprocessing = await preprocessingTimes(join(folder, '0.jpg'));
    const output = join(folder, 'captions.jsonl');
    const run = await captionFolder(folder, output, ['-m', model, '--dtype', dtype, '--batch-size', batchSize]);
    const lines = readFileSync(output, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as CaptionLine);
    const report = {
      ...summary(lines, run, Number(batchSize)),
      ...preprocessing,
      images: lines.length,
      megapixels: (PHOTOGRAPH.width * PHOTOGRAPH.height) / 1e6,
      jpegBytes,
      batchSize: Number(batchSize),
      dtype,
      cores: availableParallelism(),
      cpu: cpus()[0]?.model,
      node: process.version,
    };
    console.log(JSON.stringify(report));
    if (result !== undefined) writeFileSync(result, resultText(report));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function captionFolder(folder: string, output: string, options: readonly string[]): Promise<CaptionRun> {
  const length = ['--min-new-tokens', '10', '--max-new-tokens', '10'];
  const argv = [BLIP2, 'caption', folder, ...options, '--quiet', ...length, '-o', output];
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'inherit', 'inherit'] });
    const written: { count: number; at: number }[] = [];
    let peakMiB = 0;
    const timer = setInterval(() => {
      peakMiB = Math.max(peakMiB, peakMemoryMiB(child.pid));
      const count = linesIn(output);
      if (count > (written.at(-1)?.count ?? 0)) written.push({ count, at: performance.now() - start });
    }, POLL_MS);
    child.on('error', reject).on('close', (code) => {
      clearInterval(timer);
      if (code === 0) resolve({ milliseconds: performance.now() - start, peakMiB, written });
      else reject(new Blip2Error('INVALID_ARGUMENT', `blip2 ended with exit code ${code}`));
    });
  });
}

function linesIn(file: string): number {
  try {
    return readFileSync(file, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

function peakMemoryMiB(pid: number | undefined): number {
  try {
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}

/**
 * `steadyFraction` covers the time between the first written batch and the last. `wholeFraction` covers the entire
 * process, including loading and decoding the first images.
 */
function summary(
  lines: readonly CaptionLine[],
  { milliseconds, peakMiB, written }: CaptionRun,
  batchSize: number,
): Record<string, number | readonly number[]> {
  const batches = lines
    .filter((_, index) => index % batchSize === 0)
    .map(({ timings: { preprocess, encode, generate } }) => preprocess + encode + generate);
  const [modelMs, steadyModelMs] = [sum(batches), sum(batches.slice(1))];
  const firstMs = written[0]?.at ?? 0;
  const steadyMs = (written.at(-1)?.at ?? 0) - firstMs;
  return {
    steadyFraction: thousandth(steadyModelMs / steadyMs),
    wholeFraction: thousandth(modelMs / milliseconds),
    modelMs: Math.round(modelMs),
    wallMs: Math.round(milliseconds),
    steadyModelMs: Math.round(steadyModelMs),
    steadyWallMs: Math.round(steadyMs),
    modelMsPerBatch: batches.map(Math.round),
    firstBatchWrittenMs: Math.round(firstMs),
    peakMiB,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function thousandth(value: number): number {
  return Math.round(value * 1000) / 1000;
}
