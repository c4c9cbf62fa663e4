import { cpus } from 'node:os';

import { Blip2Error, defined, mustBe, type ThreadChoice } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { resolveModelSource } from '../../hub/resolve-model.ts';
import { demoModelFolder } from '../../model/demo-model.ts';
import { sourceOf, type SourceOptions, sourcesIn } from '../../model/model-source.ts';
import { importFamilies } from '../../module/import-module.ts';
import { positiveIntegerUpTo } from '../../options/argument-parsers.ts';
import {
  adapterOption,
  addFamiliesOption,
  addPrecisionsOption,
  addReportOptions,
  addSourceOptions,
  type Isolate,
  isolateOption,
  offlineOption,
  type ReportOptions,
  revisionOption,
  threadsOption,
} from '../../options/common-options.ts';
import { MAX_NEW_TOKENS } from '../../options/generation-values.ts';
import { precisionList } from '../../options/text-values.ts';
import { oneLine } from '../../output/display-text.ts';
import { listenForInterrupts } from '../../run/interruption.ts';
import { versionLine } from '../../version.ts';
import type { BenchJob } from './bench-job.ts';
import { benchJson, type BenchRow, benchTable } from './bench-report.ts';
import { benchImage } from './example-image.ts';

interface BenchOptions extends ReportOptions, Omit<SourceOptions, 'model'> {
  readonly dtype: string;
  readonly image?: string;
  readonly rounds: number;
  readonly newTokens: number;
  readonly threads?: number | Partial<ThreadChoice>;
  readonly isolate?: Isolate;
  readonly offline?: boolean;
  readonly revision?: string;
  readonly module?: string;
  readonly adapter?: readonly string[];
}

const DEFAULT_ROUNDS = 3;
const MAX_ROUNDS = 10_000;
const DEFAULT_NEW_TOKENS = 10;

/** `blip2 bench [MODEL] --dtype A,B`: measures the time and memory of a model on this machine. */
export const benchCommand: CliCommand = {
  name: 'bench',
  description:
    'Measure the time of each step and the memory of a model on this machine. Each precision runs in a separate ' +
    'process, one after another. Run nothing else meanwhile.',
  notes: `
Examples:
  blip2 bench
  blip2 bench ./blip2-opt-2.7b --dtype fast,small --rounds 5
  blip2 bench ./blip2-opt-2.7b --dtype fast --json | jq .captionMs
`,
  configure(command) {
    command.argument('[model]', 'Folder of a Hugging Face checkpoint, or a hub id (default: the built-in demo)');
    addPrecisionsOption(command, 'fp32')
      .option('--image <file>', 'Image to measure with (default: a generated one of 640 x 480 pixels)')
      .option(
        '--rounds <n>',
        'Timed rounds of each step, once times are stable; half as many for beams and batches',
        positiveIntegerUpTo(MAX_ROUNDS),
        DEFAULT_ROUNDS,
      )
      .option(
        '--new-tokens <n>',
        'Length of every caption, at least 2',
        positiveIntegerUpTo(MAX_NEW_TOKENS),
        DEFAULT_NEW_TOKENS,
      )
      .addOption(adapterOption())
      .addOption(threadsOption())
      .addOption(isolateOption())
      .addOption(revisionOption())
      .addOption(offlineOption());
    addSourceOptions(command);
    addFamiliesOption(command);
    addReportOptions(command);
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<BenchOptions>();
    const { rounds, newTokens } = options;
    if (newTokens < 2) throw mustBe('--new-tokens', 'at least 2', newTokens);
    const dtypes = precisionList(options.dtype, 1);
    using interruption = listenForInterrupts(environment, options.quiet === true);
    const { signal } = interruption;
    const [named] = command.args;
    const source = sourceOf({ ...options, ...defined({ model: named }) }, { demoFolder: demoModelFolder });
    const { module, isolate, adapter: listed = [] } = options;
    await importFamilies(module);
    const isDemo = named === undefined && source === demoModelFolder && options.revision === undefined;
    const model = isDemo ? source : await resolveModelSource(source, options, environment, signal);
    const { revision: _, ...others } = options;
    const adapters: string[] = [];
    for (const each of listed) adapters.push(...sourcesIn(await resolveModelSource(each, others, environment, signal)));
    await using image = await benchImage(options.image);
    const threads = options.threads ?? (await measuredThreads());
    const rows: BenchRow[] = [];
    for (const dtype of dtypes) {
      const settings = defined({ threads, isolate, module });
      const job = { model, image: image.file, dtype, rounds, newTokens, adapters, ...settings };
      const row = await measure(job, options, signal);
      if (typeof row === 'number') return row;
      rows.push(row);
      if (options.json === true) environment.stdout.write(benchJson(row));
    }
    if (options.json !== true) environment.stdout.write(benchTable(rows, title(named, options, threads)));
    return ExitCode.done;
  },
};

/** Measures once, or twice if the first process had to convert weights: its memory is that of the conversion. */
async function measure(job: BenchJob, options: BenchOptions, signal: AbortSignal): Promise<BenchRow | ExitCode> {
  const { runBenchProcess } = await import('./run-bench-process.ts');
  const settings = { quiet: options.quiet === true, verbose: options.verbose === true, signal };
  const first = await runBenchProcess(job, settings);
  if (typeof first === 'number') return first;
  if ('samples' in first) return { job, ...first };
  const second = await runBenchProcess(job, settings);
  if (typeof second === 'number') return second;
  if ('samples' in second) return { job, ...second, ...first };
  throw new Blip2Error('WRITE_FAILED', 'Converted weights were not kept', {
    where: job.dtype,
    fix: 'Set BLIP2_CACHE to a writable folder',
  });
}

/** The default number of threads of large models, measured before any process is timed, so that all use the same. */
async function measuredThreads(): Promise<Partial<ThreadChoice> | undefined> {
  const { defaultThreads } = await import('@blip2/runtime');
  return defaultThreads({ weightBytes: () => Infinity });
}

function title(
  source: string | undefined,
  { newTokens, rounds }: BenchOptions,
  threads: BenchJob['threads'] | undefined,
): string {
  const [cpu] = cpus();
  const model = source === undefined ? 'the built-in demo, whose times are not those of a real model' : oneLine(source);
  const machine = `${cpu?.model.trim() ?? 'unknown processor'}, ${threadsText(threads)}`;
  const settings = `captions of ${newTokens} tokens; medians of ${rounds} rounds (min-max)`;
  return `${model}\n${versionLine()}, ${machine}; ${settings}`;
}

function threadsText(threads: BenchJob['threads'] | undefined): string {
  if (threads === undefined) return "onnxruntime's own number of threads";
  if (typeof threads === 'object')
    return `threads ${Object.entries(threads)
      .map(([name, value]) => `${name}=${value}`)
      .join(',')}`;
  return threads === 1 ? '1 thread' : `${threads} threads`;
}
