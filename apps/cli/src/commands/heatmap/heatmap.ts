import { Blip2Error } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { expandImages } from '../../images/expand-images.ts';
import type { HeatmapModel, HeatmapSubject } from '../../model/heatmap-port.ts';
import { heatmapKind, openModel } from '../../model/open-model.ts';
import { integer, positiveInteger, repeated } from '../../options/argument-parsers.ts';
import {
  addModelOptions,
  addReportOptions,
  addUrlOptions,
  type ModelOptions,
  type ReportOptions,
  type UrlOptions,
} from '../../options/common-options.ts';
import { isAbort, listenForInterrupts } from '../../run/interruption.ts';
import { drawHeatmaps } from './draw-heatmaps.ts';
import { heatmapOutputs } from './heatmap-outputs.ts';
import { heatmapSubject, type SubjectOptions } from './heatmap-subject.ts';

interface HeatmapOptions extends ModelOptions, UrlOptions, ReportOptions, SubjectOptions {
  readonly output: string;
  readonly raw?: boolean;
  readonly recursive?: boolean;
  readonly progress: boolean;
}

/** `blip2 heatmap IMAGE… [-t TEXT] -o OUT`: where the queries look, or what a text rests on, over the image. */
export const heatmapCommand: CliCommand = {
  name: 'heatmap',
  configure(command) {
    command
      .description(
        'Draw over each image where the queries look, or with a text which regions the text rests on, dark blue (none) to yellow (most). What each shows, and does not, is said below.',
      )
      .argument('<image...>', 'File, "glob", folder, URL, @list.txt, @list.jsonl, or - for stdin')
      .option('-t, --text <text>', 'Show which regions speak for this text', repeated)
      .option('-q, --question <text>', 'The text is the answer to it (generation checkpoints)')
      .addOption(
        new Option('--method <method>', 'attention (default) or occlusion (default with --text)').choices([
          'attention',
          'occlusion',
        ]),
      )
      .option(
        '--layer <n>',
        'Attention: one layer with cross-attention, counted from 0, instead of the mean over all',
        integer,
      )
      .addOption(
        new Option('--mode <mode>', 'Occlusion: hide each region (default), keep it alone, or both').choices([
          'hide',
          'keep',
          'both',
        ]),
      )
      .addOption(
        new Option('--by <score>', 'Occlusion: the score of a retrieval checkpoint (default: itm)').choices([
          'itm',
          'itc',
        ]),
      )
      .addOption(
        new Option(
          '--cells <n>',
          'Occlusion: cells along each side of the map; a window covers a quarter of the side (default: 16)',
        ).argParser(positiveInteger),
      )
      .addOption(
        new Option('--batch-size <n>', 'Occlusion: runs that go through the model together (default: 8)').argParser(
          positiveInteger,
        ),
      )
      .addOption(new Option('-r, --recursive', 'Look into the subfolders of folders').helpGroup('Images:'))
      .addOption(
        new Option('-o, --output <file>', 'PNG to write, in the size of the image; a folder for several')
          .makeOptionMandatory()
          .helpGroup('Output:'),
      )
      .addOption(new Option('--raw', 'Also write the values, as .npy beside each PNG').helpGroup('Output:'))
      .addOption(new Option('--no-progress', 'No count on the terminal').helpGroup('Output:'));
    addUrlOptions(command);
    addReportOptions(command);
    addModelOptions(command);
    command.addHelpText('after', EXAMPLES);
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<HeatmapOptions>();
    const subject = heatmapSubject(options);
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
  const inputs = await expandImages(args, { recursive: options.recursive === true, signal }, environment);
  if (inputs.length === 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'There are no images to work on', { got: args.join(' ') });
  const files = await heatmapOutputs(
    options.output,
    inputs.map(({ name }) => name),
  );
  await using loaded = lazily(() => openModel(heatmapKind(subject), options, environment, signal));
  const failed = await drawHeatmaps(
    inputs.map((input, index) => ({ input, file: files[index] ?? options.output })),
    {
      subject,
      environment,
      signal,
      model: loaded.get,
      allowPrivateUrls: options.allowPrivateUrls,
      raw: options.raw === true,
      json: options.json === true,
      quiet: options.quiet === true,
      verbose: options.verbose === true,
      progress: options.progress,
    },
  );
  if (failed > 0 && inputs.length > 1) environment.stderr.write(`${failed} of ${inputs.length} images failed.\n`);
  return failed > 0 ? ExitCode.someInputsFailed : ExitCode.done;
}

/** A model that is loaded when there is an image for it. */
function lazily(load: () => Promise<HeatmapModel>): AsyncDisposable & { readonly get: () => Promise<HeatmapModel> } {
  let model: Promise<HeatmapModel> | undefined;
  return {
    get: () => (model ??= load()),
    async [Symbol.asyncDispose]() {
      await (await model?.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}

const EXAMPLES = `
Attention: the probabilities with which the learned queries read each patch, mean over queries, heads and layers, the class position left out. One run. It shows
where attention goes, not why the model says something: it is the same for every text, and attention can go to empty patches.

Occlusion: by how much the score of the text falls when a region is hidden under the image's mean colour, mean over windows that are slid over the image; with
--mode keep, by how much an empty image gains by having the region alone. The score is the log-odds that image and text match (retrieval checkpoints; --by itc:
the cosine), or the log-probability of writing the text as caption or as the answer to --question (generation checkpoints). It shows what the score owes to each
region alone: not what two regions do together that say the same, and nothing smaller than a window. If the text does not fit the whole image, hide shows
little; keep finds one thing among several. It costs 362 runs of the model per image with 16 cells, 363 with keep, 724 with both; with --cells 8, 82, 83 and 164.

Examples:
  blip2 heatmap photo.jpg -o where.png
  blip2 heatmap photo.jpg -t "a dog on a beach" -o match.png --raw
  blip2 heatmap holiday/ -t "a dog" --mode keep --cells 8 -m ./blip2-itm-vit-g -o maps/
  blip2 heatmap photo.jpg -q "what color is the car?" -t red -o why.png -m Salesforce/blip2-flan-t5-xl
`;
