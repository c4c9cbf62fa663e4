import type { RgbImage } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { describeFailure } from '../../failure.ts';
import { createDownloadReport } from '../../hub/download-report.ts';
import { resolveModelSource } from '../../hub/resolve-model.ts';
import { expandImages } from '../../images/expand-images.ts';
import { withInstructBlipHint } from '../../model/instructblip-hint.ts';
import { type ModelSource, sourceOf, type SourceOptions } from '../../model/model-source.ts';
import { importFamilies } from '../../module/import-module.ts';
import { positiveIntegerUpTo } from '../../options/argument-parsers.ts';
import {
  adapterOption,
  addFamiliesOption,
  addImageArgument,
  addPrecisionsOption,
  addReportOptions,
  addSourceOptions,
  addUrlOptions,
  DEFAULT_ISOLATE,
  type Isolate,
  isolateOption,
  offlineOption,
  type ReportOptions,
  revisionOption,
  threadsOption,
  type UrlOptions,
} from '../../options/common-options.ts';
import { dtypeOption } from '../../options/dtype.ts';
import { MAX_NEW_TOKENS } from '../../options/generation-values.ts';
import { precisionList } from '../../options/text-values.ts';
import { oneLine } from '../../output/display-text.ts';
import { listenForInterrupts } from '../../run/interruption.ts';
import { openPending } from '../../run/open-pending.ts';
import { compareReport } from './compare-report.ts';
import type { PrecisionRun } from './precision-run.ts';

interface CompareOptions extends ReportOptions, UrlOptions, Omit<SourceOptions, 'model'> {
  readonly dtype: string;
  readonly maxNewTokens: number;
  readonly adapter?: readonly string[];
  readonly threads?: number;
  readonly isolate?: Isolate;
  readonly recursive?: boolean;
  readonly offline?: boolean;
  readonly revision?: string;
  readonly module?: string;
}

const DEFAULT_NEW_TOKENS = 20;

/** `blip2 compare MODEL IMAGE… --dtype A,B`: compares the outputs, times and memory of precisions. */
export const compareCommand: CliCommand = {
  name: 'compare',
  description:
    'Compare precisions: captions side by side, share of equal tokens, error of the logits; then time and memory of ' +
    'each. The others are compared with the first one.',
  notes: `
Examples:
  blip2 compare ./blip2-opt-2.7b photo.jpg --dtype fp32,fast
  blip2 compare ./blip2-opt-2.7b shots/ --dtype fp32,int8,q8,q4 --json
`,
  configure(command) {
    command.argument('<model>', 'Folder of a Hugging Face checkpoint, or a hub id');
    addImageArgument(command);
    addPrecisionsOption(command, 'fp32,fast')
      .option(
        '--max-new-tokens <n>',
        'Maximum length of a caption',
        positiveIntegerUpTo(MAX_NEW_TOKENS),
        DEFAULT_NEW_TOKENS,
      )
      .addOption(adapterOption())
      .addOption(threadsOption())
      .addOption(isolateOption())
      .option('-r, --recursive', 'Include the subfolders of folders')
      .addOption(revisionOption())
      .addOption(offlineOption());
    addSourceOptions(command);
    addFamiliesOption(command);
    addUrlOptions(command);
    addReportOptions(command);
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<CompareOptions>();
    const [model = '', ...paths] = command.args;
    const source = sourceOf({ ...options, model }, { demoFolder: model });
    const names = precisionList(options.dtype, 2);
    using interruption = listenForInterrupts(environment, options.quiet === true);
    const { signal } = interruption;
    await importFamilies(options.module);
    const { images, failed } = await openImages(paths, options, environment, signal);
    if (images.length === 0) return ExitCode.failed;
    const rgbImages = images.map(({ image }) => image);
    const runs = await runAll(source, names, rgbImages, options, environment, signal);
    const imageNames = images.map(({ name }) => name);
    environment.stdout.write(compareReport(imageNames, names, runs, options.json === true));
    return failed > 0 ? ExitCode.someInputsFailed : ExitCode.done;
  },
};

interface NamedImage {
  readonly name: string;
  readonly image: RgbImage;
}

async function openImages(
  args: readonly string[],
  options: CompareOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<{ readonly images: NamedImage[]; readonly failed: number }> {
  const { recursive = false, quiet } = options;
  const inputs = await expandImages(args, { recursive, quiet, signal }, environment);
  const images: NamedImage[] = [];
  const { openImage: open, stdin, stderr } = environment;
  const { allowPrivateUrls } = options;
  for (const input of inputs) {
    const opened = await openPending({ input, prompts: [''] }, { open, stdin, allowPrivateUrls, signal });
    if ('image' in opened) images.push(opened);
    else stderr.write(`${oneLine(opened.name)}: ${describeFailure(opened.error).message}\n`);
  }
  return { images, failed: inputs.length - images.length };
}

async function runAll(
  source: ModelSource,
  names: readonly string[],
  images: readonly RgbImage[],
  options: CompareOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<PrecisionRun[]> {
  const { runPrecision } = await import('./precision-run.ts');
  const { partSource } = await import('@blip2/blip2');
  const found = await resolveModelSource(source, options, environment, signal);
  // The folder of an adapter stands for its base with the adapter.
  const resolving = { localFilesOnly: options.offline === true, signal };
  const { folder: resolved, adapters } =
    typeof found === 'string' ? await partSource(found, resolving) : { folder: found, adapters: [] };
  const { maxNewTokens, threads, isolate = DEFAULT_ISOLATE } = options;
  const report = await createDownloadReport(environment, { quiet: options.quiet === true, progress: true });
  const runs: PrecisionRun[] = [];
  // One after another, so that each is alone in memory while it is measured.
  for (const name of names) {
    const load = {
      isolate,
      adapters: [...adapters, ...(options.adapter ?? [])],
      signal,
      onProgress: report.onProgress,
      ...(threads !== undefined && { threads }),
      ...dtypeOption(name),
    } as const;
    const run = runPrecision(resolved, images, { load, maxNewTokens, signal }, runs[0]?.images);
    runs.push(await withInstructBlipHint(run));
    report.clear();
  }
  return runs;
}
