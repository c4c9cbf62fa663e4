import { Blip2Error, type RgbImage } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { describeFailure } from '../../failure.ts';
import { createDownloadReport } from '../../hub/download-report.ts';
import { expandImages } from '../../images/expand-images.ts';
import { namingTakers } from '../../model/instructblip-hint.ts';
import { positiveInteger } from '../../options/argument-parsers.ts';
import { addReportOptions, addUrlOptions, type ReportOptions, type UrlOptions } from '../../options/common-options.ts';
import { dtypeOption } from '../../options/dtype.ts';
import { oneLine } from '../../output/one-line.ts';
import { listenForInterrupts } from '../../run/interruption.ts';
import { openPending } from '../../run/open-pending.ts';
import { compareReport } from './compare-report.ts';
import type { PrecisionRun } from './precision-run.ts';

interface CompareOptions extends ReportOptions, UrlOptions {
  readonly dtype: string;
  readonly maxNewTokens: number;
  readonly threads?: number;
  readonly recursive?: boolean;
  readonly offline?: boolean;
}

const DEFAULT_NEW_TOKENS = 20;

/** `blip2 compare MODEL IMAGE… --dtype A,B`: do precisions agree on these images, and what do they cost. */
export const compareCommand: CliCommand = {
  name: 'compare',
  configure(command) {
    command
      .description(
        'Do precisions agree: captions side by side, share of equal tokens, error of the scores; then time and memory of each. The first one is what the others are compared with.',
      )
      .argument('<model>', 'Folder of a Hugging Face checkpoint, or a hub id')
      .argument('<image...>', 'File, "glob", folder, URL, @list.txt, @list.jsonl, or - for stdin')
      .option('--dtype <a,b>', 'Precisions: fp32, int8, q8, q4, fast, small', 'fp32,fast')
      .option('--max-new-tokens <n>', 'Longest caption', positiveInteger, DEFAULT_NEW_TOKENS)
      .option('--threads <n>', 'Threads within one operator (default: one per core)', positiveInteger)
      .option('-r, --recursive', 'Look into the subfolders of folders')
      .option('--offline', 'Never ask the network for a model');
    addUrlOptions(command);
    addReportOptions(command);
    command.addHelpText('after', EXAMPLES);
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<CompareOptions>();
    const [source = '', ...paths] = command.args;
    const names = precisionsOf(options.dtype);
    using interruption = listenForInterrupts(environment, options.quiet === true);
    const { signal } = interruption;
    const images = await openImages(paths, options, environment, signal);
    if (images.length === 0) return ExitCode.failed;
    const runs = await runAll(
      source,
      names,
      images.map(({ image }) => image),
      options,
      environment,
      signal,
    );
    environment.stdout.write(
      compareReport(
        images.map(({ name }) => name),
        names,
        runs,
        options.json === true,
      ),
    );
    return images.length < paths.length ? ExitCode.someInputsFailed : ExitCode.done;
  },
};

function precisionsOf(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.length >= 2 && new Set(names).size === names.length && names.every((name) => name !== '')) return names;
  throw new Blip2Error('INVALID_ARGUMENT', 'There are not two precisions to compare', {
    where: '--dtype',
    expected: 'two or more names with commas between',
    got: text,
    fix: 'For example --dtype fp32,fast',
  });
}

interface Image {
  readonly name: string;
  readonly image: RgbImage;
}

async function openImages(
  args: readonly string[],
  options: CompareOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<Image[]> {
  const inputs = await expandImages(args, { recursive: options.recursive === true, signal }, environment);
  const images: Image[] = [];
  const { allowPrivateUrls } = options;
  for (const input of inputs) {
    const opened = await openPending(
      { input, parts: [''] },
      { open: environment.openImage, stdin: environment.stdin, allowPrivateUrls, signal },
    );
    if ('image' in opened) images.push(opened);
    else environment.stderr.write(`${oneLine(opened.name)}: ${describeFailure(opened.error).message}\n`);
  }
  return images;
}

async function runAll(
  source: string,
  names: readonly string[],
  images: readonly RgbImage[],
  options: CompareOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<PrecisionRun[]> {
  const { runPrecision } = await import('./precision-run.ts');
  const { resolveSource } = await import('@blip2/hub');
  const report = createDownloadReport(environment, { quiet: options.quiet === true, progress: true });
  const folder = await resolveSource(source, {
    localFilesOnly: options.offline === true,
    signal,
    onPlan: report.onPlan,
    onProgress: report.onProgress,
  }).finally(report.clear);
  const load = {
    isolate: 'worker',
    signal,
    onProgress: report.onProgress,
    ...(options.threads !== undefined && { threads: options.threads }),
  } as const;
  const runs: PrecisionRun[] = [];
  // One after the other: each is alone in memory while it is measured.
  for (const name of names) {
    runs.push(
      await namingTakers(
        runPrecision(
          folder,
          images,
          { load: { ...load, ...dtypeOption(name) }, maxNewTokens: options.maxNewTokens, signal },
          runs[0]?.images,
        ),
      ),
    );
    report.clear();
  }
  return runs;
}

const EXAMPLES = `
Examples:
  blip2 compare ./blip2-opt-2.7b photo.jpg --dtype fp32,fast
  blip2 compare ./blip2-opt-2.7b shots/ --dtype fp32,int8,q8,q4 --json
`;
