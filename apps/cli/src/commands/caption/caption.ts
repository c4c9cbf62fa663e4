import type { TextResult } from '@blip2/blip2';
import { Blip2Error, defined } from '@blip2/interfaces';
import { Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import { generationKind } from '../../model/model-kinds.ts';
import type { TaskModel } from '../../model/model-port.ts';
import { fileExtension } from '../../options/argument-parsers.ts';
import { addImageArgument } from '../../options/common-options.ts';
import { generationSettingsOf } from '../../options/generation-flags.ts';
import { addTextTaskOptions, type TextTaskOptions } from '../../options/text-task-options.ts';
import type { OpenOutput } from '../../output/output-request.ts';
import type { ImageTask } from '../../run/image-task.ts';
import { captionTable, textResultJson } from '../../run/text-results.ts';
import { textTaskRunner } from '../../run/text-task-runner.ts';
import { tableOutput } from '../../tables/open-table.ts';
import { openSidecars } from './sidecars.ts';

interface CaptionOptions extends TextTaskOptions {
  readonly prompt?: string;
  readonly sidecar?: boolean;
  readonly sidecarExtension: string;
}

/** `blip2 caption IMAGE…`: one line per image, path and caption. */
export const captionCommand: CliCommand = {
  name: 'caption',
  description: 'Describe each image: one line per image, path<TAB>caption.',
  notes: `
Examples:
  blip2 caption photo.jpg
  blip2 caption -m ./blip2-opt-2.7b holiday/ -r -o captions.jsonl
  blip2 caption holiday/ --report holiday.html
  blip2 caption training/ -r --sidecar --prompt "a drawing of"
  blip2 caption "shots/*.png" --json --max-new-tokens 20
  curl -s https://example.org/cat.jpg | blip2 caption -
`,
  configure(command) {
    addImageArgument(command)
      .option('-p, --prompt <text>', 'Start of the caption, which the model continues ("a photo of")')
      .addOption(
        new Option(
          '--sidecar',
          'Write each caption to a file next to its image: a.jpg, a.txt; images that have one are skipped',
        ).helpGroup('Output:'),
      )
      .addOption(
        new Option('--sidecar-extension <ext>', 'Extension of these files')
          .argParser(fileExtension)
          .implies({ sidecar: true })
          .default('.txt')
          .helpGroup('Output:'),
      );
    addTextTaskOptions(command);
  },
  run: textTaskRunner(captionTask),
};

function captionTask(options: CaptionOptions): ImageTask<TextResult, TaskModel> {
  const generation = generationSettingsOf(options);
  const prompt = defined({ prompt: options.prompt });
  return {
    command: 'caption',
    model: generationKind,
    prompts: [''],
    options: { ...prompt, ...generation },
    async perform(model, items, signal) {
      const results = await model.caption(
        items.map(({ image }) => image),
        { ...prompt, generation, signal },
      );
      return results.map((result) => [result]);
    },
    stream: (model, image, _prompt, signal) => ({
      columns: [],
      pieces: model.streamCaption(image, { ...prompt, generation, signal }),
    }),
    toJson: (image, _prompt, result) => ({ image, ...textResultJson(result) }),
    toColumns: (_prompt, { text }) => [text],
    promptOf: () => '',
    sheetText: ({ text }) => ({ text: String(text) }),
    openOutput: openOutputOf(options),
  };
}

function openOutputOf({ sidecar, sidecarExtension, output, json }: CaptionOptions): OpenOutput {
  if (sidecar !== true) return tableOutput(captionTable);
  const other = output !== undefined ? '--output' : json === true ? '--json' : undefined;
  if (other !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', `--sidecar cannot be combined with ${other}`, { argument: '--sidecar' });
  return (request) => openSidecars(sidecarExtension, request);
}
