import { Blip2Error, type RgbImage } from '@blip2/interfaces';
import { Option, type Command } from 'commander';
import type { CliCommand } from '../command.ts';
import type { Environment } from '../environment.ts';
import { ExitCode } from '../exit-code.ts';
import { failureReport } from '../failure.ts';
import { expandImages } from '../images/expand-images.ts';
import type { ImageInput } from '../images/image-input.ts';
import { heatmapKind, openModel } from '../model/open-model.ts';
import { integer } from '../options/argument-parsers.ts';
import { addModelOptions, type ModelOptions } from '../options/common-options.ts';
import { oneLine } from '../output/one-line.ts';
import { expectNoInput, expectWritable } from '../output/open-sink.ts';
import { replaceFile } from '../output/replaced-file.ts';
import { batchesOf } from '../run/batches.ts';
import { isAbort, listenForInterrupts } from '../run/interruption.ts';

interface HeatmapOptions extends ModelOptions {
  readonly output: string;
  readonly layer?: number;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** `blip2 heatmap IMAGE -o OUT.png`: where the queries look, over the picture. */
export const heatmapCommand: CliCommand = {
  name: 'heatmap',
  configure(command) {
    command
      .description('Draw where the queries look: the attention of the Q-Former over the picture, dark blue (none) to yellow (most). It shows where attention goes, not why the model says something.')
      .argument('<image>', 'One picture: file, URL, or - for stdin')
      .addOption(new Option('-o, --output <file>', 'PNG to write, in the size of the picture').makeOptionMandatory().helpGroup('Output:'))
      .addOption(new Option('--quiet', 'No notes on stderr, errors only').helpGroup('Output:'))
      .addOption(new Option('--verbose', 'Errors with their stack').helpGroup('Output:'))
      .option('--layer <n>', 'One layer with cross-attention, counted from 0, instead of the mean over all', integer);
    addModelOptions(command);
    command.addHelpText('after', EXAMPLES);
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<HeatmapOptions>();
    if (!/\.png$/i.test(options.output)) throw new Blip2Error('INVALID_ARGUMENT', 'A heatmap is a PNG', { where: '--output', expected: 'a file ending in .png', got: options.output });
    using interruption = listenForInterrupts(environment, options.quiet === true);
    const { signal } = interruption;
    try {
      const input = await onePicture(command.args, environment, signal);
      await expectNoInput(options.output, [input.name]);
      await expectWritable(options.output);
      const image = await openPicture(input, options, environment, signal);
      if (!image) return ExitCode.someInputsFailed;
      await draw(image, options, environment, signal);
      return ExitCode.done;
    } catch (error) {
      if (signal.aborted && isAbort(error)) return ExitCode.interrupted;
      throw error;
    }
  },
};

async function onePicture(args: readonly string[], environment: Environment, signal: AbortSignal): Promise<ImageInput> {
  const inputs = await expandImages(args, { recursive: false, signal }, environment);
  const [input] = inputs;
  if (input && inputs.length === 1) return input;
  throw new Blip2Error('INVALID_ARGUMENT', 'A heatmap is of one picture', { got: `${inputs.length} pictures`, fix: 'Call it once for each' });
}

/** Nothing if it cannot be opened, which is then said. */
async function openPicture(input: ImageInput, { verbose = false }: HeatmapOptions, environment: Environment, signal: AbortSignal): Promise<RgbImage | undefined> {
  for await (const [opened] of batchesOf([{ input, parts: [''] }], 1, environment, signal)) {
    if (opened && 'image' in opened) return opened.image;
    if (opened) environment.stderr.write(`${oneLine(opened.name)}: ${failureReport(opened.error, verbose)}`);
  }
  return undefined;
}

async function draw(image: RgbImage, options: HeatmapOptions, environment: Environment, signal: AbortSignal): Promise<void> {
  await using model = await openModel(heatmapKind, options, environment, signal);
  await replaceFile(options.output, await model.overlay(image, { signal, ...(options.layer !== undefined && { layer: options.layer }) }));
}

const EXAMPLES = `
What it shows: the probabilities with which the learned queries read each patch, mean over queries, heads and layers, the class position left out,
brightest patch yellow. It is the same for every question. Attention can go to empty patches: what they hold has been mixed in the encoder.

Examples:
  blip2 heatmap photo.jpg -o where.png
  blip2 heatmap photo.jpg -o last.png --layer 5 -m Salesforce/blip2-flan-t5-xl
`;
