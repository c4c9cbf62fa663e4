import { Blip2Error } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import type { ExitCode } from '../../exit-code.ts';
import type { TaskModel, TextResult } from '../../model/model-port.ts';
import { generationKind } from '../../model/open-model.ts';
import { fileExtension } from '../../options/argument-parsers.ts';
import { addImageOptions, type ImageOptions } from '../../options/common-options.ts';
import { addGenerationOptions, generationSettingsOf, noteIneffective } from '../../options/generation-flags.ts';
import { addModuleOption } from '../../options/module-option.ts';
import { addSheetOption, type SheetOptions } from '../../options/sheet-option.ts';
import type { OpenOutput } from '../../output/output-request.ts';
import { textResultJson } from '../../output/text-result-json.ts';
import type { ImageTask } from '../../run/image-task.ts';
import { runImages } from '../../run/run-images.ts';
import { captionTable } from '../../tables/result-tables.ts';
import { tableOutput } from '../../tables/table.ts';
import { openSidecars } from './sidecars.ts';

interface CaptionOptions extends ImageOptions, SheetOptions {
  readonly prompt?: string;
  readonly sidecar?: boolean;
  readonly sidecarExtension: string;
}

/** `blip2 caption IMAGE…`: one line per image, path and caption. */
export const captionCommand: CliCommand = {
  name: 'caption',
  configure(command) {
    command
      .description('Say what is in each image: one line per image, path<TAB>caption.')
      .argument('<image...>', 'File, "glob", folder, URL, @list.txt, @list.jsonl, or - for stdin')
      .option('-p, --prompt <text>', 'Beginning that the caption goes on from ("a photo of")')
      .addOption(
        new Option(
          '--sidecar',
          'Write each caption into a file beside its image: a.jpg, a.txt; images that have one are skipped',
        ).helpGroup('Output:'),
      )
      .addOption(
        new Option('--sidecar-extension <ext>', 'Extension of these files')
          .argParser(fileExtension)
          .implies({ sidecar: true })
          .default('.txt')
          .helpGroup('Output:'),
      );
    addImageOptions(command);
    addModuleOption(command);
    addSheetOption(command);
    addGenerationOptions(command);
    command.addHelpText('after', EXAMPLES);
  },
  run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<CaptionOptions>();
    noteIneffective(options, environment);
    return runImages(captionTask(options), command.args, options, environment);
  },
};

function captionTask(options: CaptionOptions): ImageTask<TextResult, TaskModel> {
  const generation = generationSettingsOf(options);
  const prompt = options.prompt === undefined ? {} : { prompt: options.prompt };
  return {
    command: 'caption',
    model: generationKind,
    parts: [''],
    options: { ...prompt, ...generation },
    async perform(model, items, signal) {
      const results = await model.caption(
        items.map(({ image }) => image),
        { ...prompt, generation, signal },
      );
      return results.map((result) => [result]);
    },
    stream: (model, image, _part, signal) => ({
      columns: [],
      pieces: model.streamCaption(image, { ...prompt, generation, signal }),
    }),
    toJson: (image, _part, result) => ({ image, ...textResultJson(result) }),
    toColumns: (_part, { text }) => [text],
    partOf: () => '',
    sheetText: ({ text }) => ({ text: String(text) }),
    openOutput: openOutputOf(options),
  };
}

function openOutputOf({ sidecar, sidecarExtension, output, json }: CaptionOptions): OpenOutput {
  if (sidecar !== true) return tableOutput(captionTable);
  if (output !== undefined || json === true)
    throw new Blip2Error('INVALID_ARGUMENT', 'Captions go to one place', {
      where: '--sidecar',
      got: output === undefined ? '--json' : '--output',
    });
  return (request) => openSidecars(sidecarExtension, request);
}

const EXAMPLES = `
Examples:
  blip2 caption photo.jpg
  blip2 caption -m ./blip2-opt-2.7b holiday/ -r -o captions.jsonl
  blip2 caption holiday/ --report holiday.html
  blip2 caption training/ -r --sidecar --prompt "a drawing of"
  blip2 caption "shots/*.png" --json --max-new-tokens 20
  curl -s https://example.org/cat.jpg | blip2 caption -
`;
