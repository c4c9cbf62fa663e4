import { mustBe } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { expandImages } from '../../images/expand-images.ts';
import type { HeatmapModel, HeatmapSubject } from '../../model/heatmap-port.ts';
import { heatmapKind } from '../../model/model-kinds.ts';
import { openModel } from '../../model/open-model.ts';
import { importFamilies } from '../../module/import-module.ts';
import { integer, positiveIntegerUpTo, repeated } from '../../options/argument-parsers.ts';
import {
  addFamiliesOption,
  addImageArgument,
  addModelOptions,
  addReportOptions,
  addUrlOptions,
  MAX_BATCH_SIZE,
  type ModelOptions,
  noProgressOption,
  recursiveOption,
  type ReportOptions,
  type UrlOptions,
} from '../../options/common-options.ts';
import { whileLocked } from '../../output/output-lock.ts';
import { isAbort, listenForInterrupts } from '../../run/interruption.ts';
import { drawHeatmaps, type HeatmapJob } from './draw-heatmaps.ts';
import { heatmapOutputs } from './heatmap-outputs.ts';
import { heatmapSubject, type SubjectOptions } from './heatmap-subject.ts';

interface HeatmapOptions extends ModelOptions, UrlOptions, ReportOptions, SubjectOptions {
  readonly output: string;
  readonly raw?: boolean;
  readonly recursive?: boolean;
  readonly progress: boolean;
}

/** A window is run for every cell: more than this would take days. */
const MAX_CELLS = 224;

/** `blip2 heatmap IMAGE… [-t TEXT] -o OUT`: draws the queries' attention, or the regions that support a text. */
export const heatmapCommand: CliCommand = {
  name: 'heatmap',
  description:
    'Draw the attention of the queries over each image, or with a text the regions that support it, ' +
    'from dark blue (none) to yellow (most). What each map shows, and what it does not, is explained below.',
  notes: `
Attention: the probabilities with which the learned queries attend to each patch, as the mean over queries, heads and
layers, without the class position. One run of the model. It shows where attention goes, not why the model says
something: it is the same for every text, and attention can go to empty patches.

Occlusion: how much the score of the text falls when a region is hidden under the image's mean colour, as the mean over
a sliding window; with --mode keep, how much an empty image gains from the region alone. The score is the log-odds that
image and text match (retrieval checkpoints; --by itc: the cosine), or the log-probability of generating the text as a
caption or as the answer to --question (generation checkpoints). It shows the contribution of each region alone: not
what two regions do together that say the same, and nothing smaller than a window. If the text does not match the whole
image, hide shows little; keep finds one thing among several. It takes 362 runs of the model per image with 16 cells,
363 with keep, 724 with both; with --cells 8, 82, 83 and 164.

Examples:
  blip2 heatmap photo.jpg -o where.png
  blip2 heatmap photo.jpg -t "a dog on a beach" -o match.png --raw
  blip2 heatmap holiday/ -t "a dog" --mode keep --cells 8 -m ./blip2-itm-vit-g -o maps/
  blip2 heatmap photo.jpg -q "what color is the car?" -t red -o why.png -m Salesforce/blip2-flan-t5-xl
`,
  configure(command) {
    addImageArgument(command)
      .option('-t, --text <text>', 'Show the regions that support this text', repeated)
      .option('-q, --question <text>', 'Question that the text answers (generation checkpoints)')
      .addOption(
        new Option('--method <method>', 'attention (default) or occlusion (default with --text)').choices([
          'attention',
          'occlusion',
        ]),
      )
      .option(
        '--layer <n>',
        'Attention: one layer with cross-attention, counted from 0, instead of the mean of all',
        integer,
      )
      .addOption(
        new Option('--mode <mode>', 'Occlusion: hide each region (default), keep only it, or both').choices([
          'hide',
          'keep',
          'both',
        ]),
      )
      .addOption(
        new Option('--by <score>', 'Occlusion: score of a retrieval checkpoint (default: itm)').choices(['itm', 'itc']),
      )
      .addOption(
        new Option(
          '--cells <n>',
          'Occlusion: cells along each side of the map; a window covers a quarter of the side (default: 16)',
        ).argParser(positiveIntegerUpTo(MAX_CELLS)),
      )
      .addOption(
        new Option('--batch-size <n>', 'Occlusion: runs that go through the model together (default: 8)').argParser(
          positiveIntegerUpTo(MAX_BATCH_SIZE),
        ),
      )
      .addOption(recursiveOption())
      .addOption(
        new Option('-o, --output <file>', 'PNG to write, with the size of the image; a folder for several images')
          .makeOptionMandatory()
          .helpGroup('Output:'),
      )
      .addOption(new Option('--raw', 'Also write the values, as .npy next to each PNG').helpGroup('Output:'))
      .addOption(noProgressOption());
    addUrlOptions(command);
    addReportOptions(command);
    addModelOptions(command);
    addFamiliesOption(command);
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<HeatmapOptions>();
    const subject = heatmapSubject(options);
    await importFamilies(options.module);
    using interruption = listenForInterrupts(environment, options.quiet === true);
    const { signal } = interruption;
    try {
      return await draw(command.args, { subject, options, environment, signal });
    } catch (error) {
      if (signal.aborted && isAbort(error)) return ExitCode.interrupted;
      throw error;
    }
  },
};

interface Drawing {
  readonly subject: HeatmapSubject;
  readonly options: HeatmapOptions;
  readonly environment: Environment;
  readonly signal: AbortSignal;
}

async function draw(args: readonly string[], { subject, options, environment, signal }: Drawing): Promise<ExitCode> {
  const { recursive = false, quiet } = options;
  const inputs = await expandImages(args, { recursive, quiet, signal }, environment);
  if (inputs.length === 0) throw mustBe('IMAGE', 'at least one image', args.join(' '));
  const files = await heatmapOutputs(
    options.output,
    inputs.map(({ name }) => name),
  );
  const jobs = inputs.map((input, index) => ({ input, file: files[index] ?? options.output }));
  return whileLocked([options.output], signal, () => drawAll(jobs, { subject, options, environment, signal }));
}

async function drawAll(
  jobs: readonly HeatmapJob[],
  { subject, options, environment, signal }: Drawing,
): Promise<ExitCode> {
  await using lazyModel = loadOnce(() => openModel(heatmapKind(subject), options, environment, signal));
  const failed = await drawHeatmaps(jobs, {
    subject,
    environment,
    signal,
    model: lazyModel.get,
    allowPrivateUrls: options.allowPrivateUrls,
    raw: options.raw === true,
    json: options.json === true,
    quiet: options.quiet === true,
    verbose: options.verbose === true,
    progress: options.progress,
  });
  if (failed > 0 && jobs.length > 1) environment.stderr.write(`${failed} of ${jobs.length} images failed.\n`);
  return failed > 0 ? ExitCode.someInputsFailed : ExitCode.done;
}

/** Loads a model on the first call of `get`, and disposes of it if it was loaded. */
function loadOnce(load: () => Promise<HeatmapModel>): AsyncDisposable & { readonly get: () => Promise<HeatmapModel> } {
  let model: Promise<HeatmapModel> | undefined;
  return {
    get: () => (model ??= load()),
    async [Symbol.asyncDispose]() {
      await (await model?.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}
