import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { createDownloadReport } from '../../hub/download-report.ts';
import { demoModelFolder } from '../../model/demo-model.ts';
import { positiveInteger } from '../../options/argument-parsers.ts';
import { addReportOptions, type ReportOptions } from '../../options/common-options.ts';
import { oneLine } from '../../output/one-line.ts';
import { listenForInterrupts } from '../../run/interruption.ts';
import { versionLine } from '../../version.ts';
import type { BenchJob } from './bench-job.ts';
import { benchJson, type BenchRow, benchTable } from './bench-report.ts';

interface BenchOptions extends ReportOptions {
  readonly dtype: string;
  readonly image?: string;
  readonly rounds: number;
  readonly newTokens: number;
  readonly threads?: number;
  readonly offline?: boolean;
}

const DEFAULT_ROUNDS = 3;
const DEFAULT_NEW_TOKENS = 10;

/** `blip2 bench [MODEL] --dtype A,B`: how fast a model is on this machine, and what memory it takes. */
export const benchCommand: CliCommand = {
  name: 'bench',
  configure(command) {
    command
      .description(
        'How fast a model is on this machine, step by step, and what memory it takes; each precision in a process of its own, one after the other. Let nothing else run meanwhile.',
      )
      .argument('[model]', 'Folder of a Hugging Face checkpoint, or a hub id (default: the built-in demo)')
      .option('--dtype <a,b>', 'Precisions: fp32, int8, q8, q4, fast, small', 'fp32')
      .option('--image <file>', 'Image to measure with (default: a drawn one of 640 x 480 pixels)')
      .option(
        '--rounds <n>',
        'How often each step is timed, after a round that is not; half as often with beams and batches',
        positiveInteger,
        DEFAULT_ROUNDS,
      )
      .option('--new-tokens <n>', 'Length of every caption, at least 2', positiveInteger, DEFAULT_NEW_TOKENS)
      .option('--threads <n>', 'Threads within one operator (default: one per core)', positiveInteger)
      .option('--offline', 'Never ask the network for a model');
    addReportOptions(command);
    command.addHelpText('after', EXAMPLES);
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<BenchOptions>();
    const dtypes = precisionsOf(options);
    using interruption = listenForInterrupts(environment, options.quiet === true);
    const { signal } = interruption;
    const model = await folderOf(command.args[0], options, environment, signal);
    await using image = await imageFile(options.image);
    const { threads, rounds, newTokens } = options;
    const jobs = dtypes.map((dtype): BenchJob => ({
      model,
      image: image.file,
      dtype,
      rounds,
      newTokens,
      ...(threads !== undefined && { threads }),
    }));
    const rows: BenchRow[] = [];
    for (const job of jobs) {
      const row = await measure(job, options, signal);
      if (typeof row === 'number') return row;
      rows.push(row);
      if (options.json === true) environment.stdout.write(benchJson(row));
    }
    if (options.json !== true) environment.stdout.write(benchTable(rows, title(command.args[0], options)));
    return ExitCode.done;
  },
};

function precisionsOf({ dtype, newTokens }: BenchOptions): readonly string[] {
  if (newTokens < 2)
    throw new Blip2Error('INVALID_ARGUMENT', 'There is no further token to time', {
      where: '--new-tokens',
      expected: 'at least 2',
      got: String(newTokens),
    });
  // One per part is one choice: vision=int8,language=q4.
  const names = dtype.includes('=') ? [dtype] : dtype.split(',').map((name) => name.trim());
  if (names.every((name) => name !== '')) return names;
  throw new Blip2Error('INVALID_ARGUMENT', 'This names no precision', {
    where: '--dtype',
    expected: 'names with commas between',
    got: dtype,
    fix: 'For example --dtype fp32,fast',
  });
}

async function folderOf(
  source: string | undefined,
  options: BenchOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<string> {
  if (source === undefined) return demoModelFolder;
  const { resolveSource } = await import('@blip2/hub');
  const report = createDownloadReport(environment, { quiet: options.quiet === true, progress: true });
  return resolveSource(source, {
    localFilesOnly: options.offline === true,
    signal,
    onPlan: report.onPlan,
    onProgress: report.onProgress,
  }).finally(report.clear);
}

/** The image to measure with; the drawn one is in a file for as long. */
async function imageFile(given: string | undefined): Promise<AsyncDisposable & { readonly file: string }> {
  if (given !== undefined) return { file: resolve(given), [Symbol.asyncDispose]: async () => {} };
  const [{ encodePng }, { exampleImage }] = await Promise.all([
    import('@blip2/processor'),
    import('./example-image.ts'),
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'blip2-bench-'));
  const file = join(folder, 'image.png');
  await writeFile(file, await encodePng(exampleImage()));
  return { file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Once more where the first process had to convert weights: it would show the memory of the conversion. */
async function measure(job: BenchJob, options: BenchOptions, signal: AbortSignal): Promise<BenchRow | ExitCode> {
  const { runBenchProcess } = await import('./run-bench-process.ts');
  const settings = { quiet: options.quiet === true, verbose: options.verbose === true, signal };
  const first = await runBenchProcess(job, settings);
  if (typeof first === 'number') return first;
  if ('samples' in first) return { job, ...first };
  const second = await runBenchProcess(job, settings);
  if (typeof second === 'number') return second;
  if ('samples' in second) return { job, ...second, ...first };
  throw new Blip2Error('WRITE_FAILED', 'Weights were converted a second time', {
    where: job.dtype,
    fix: 'Set BLIP2_CACHE to a folder that keeps what is written',
  });
}

function title(source: string | undefined, { newTokens, rounds, threads }: BenchOptions): string {
  const [cpu] = cpus();
  const model =
    source === undefined ? 'the built-in demo, whose times say nothing about a real model' : oneLine(source);
  return `${model}\n${versionLine()}, ${cpu?.model.trim() ?? 'unknown processor'}, ${threads ?? availableParallelism()} threads; captions of ${newTokens} tokens; medians of ${rounds} rounds (least-most)`;
}

const EXAMPLES = `
Examples:
  blip2 bench
  blip2 bench ./blip2-opt-2.7b --dtype fast,small --rounds 5
  blip2 bench ./blip2-opt-2.7b --dtype fast --json | jq .captionMs
`;
