import { Blip2Error } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import type { ExitCode } from '../../exit-code.ts';
import type { MatchScore, RetrievalModel } from '../../model/model-port.ts';
import { retrievalKind } from '../../model/open-model.ts';
import { repeated } from '../../options/argument-parsers.ts';
import { addImageOptions, type ImageOptions } from '../../options/common-options.ts';
import { addModuleOption } from '../../options/module-option.ts';
import type { ImageTask } from '../../run/image-task.ts';
import { runImages } from '../../run/run-images.ts';
import { matchTable } from '../../tables/result-tables.ts';
import { tableOutput } from '../../tables/table.ts';

interface MatchOptions extends ImageOptions {
  readonly text: readonly string[];
}

/** Digits of a score in a text line; JSON has all. */
const DIGITS = 4;

/** `blip2 match IMAGE… -t TEXT…`: one line per image and text. */
export const matchCommand: CliCommand = {
  name: 'match',
  configure(command) {
    command
      .description(
        'Say how well texts fit each image: one line per image and text, path<TAB>text<TAB>ITM probability (0 to 1)<TAB>ITC cosine (-1 to 1).',
      )
      .argument('<image...>', 'File, "glob", folder, URL, @list.txt, @list.jsonl, or - for stdin')
      .requiredOption(
        '-t, --text <text>',
        'What to compare with; may be repeated, every image is compared with every text',
        repeated,
      );
    addImageOptions(command);
    addModuleOption(command);
    command.addHelpText('after', EXAMPLES);
  },
  run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<MatchOptions>();
    return runImages(matchTask(options), command.args, options, environment);
  },
};

function matchTask(options: MatchOptions): ImageTask<MatchScore, RetrievalModel> {
  const texts = [...new Set(options.text)];
  if (texts.some((text) => text.trim() === ''))
    throw new Blip2Error('INVALID_ARGUMENT', 'A text is empty', { where: '--text' });
  return {
    command: 'match',
    model: retrievalKind,
    parts: texts,
    options: {},
    perform: (model, items, signal) =>
      model.match(
        items.map(({ image, parts }) => ({ image, texts: parts })),
        { signal },
      ),
    toJson: (image, text, { itm, itc }) => ({ image, text, itm, itc }),
    toColumns: (text, { itm, itc }) => [text, itm.toFixed(DIGITS), itc.toFixed(DIGITS)],
    partOf: ({ text }) => (typeof text === 'string' ? text : undefined),
    openOutput: tableOutput(matchTable),
  };
}

const EXAMPLES = `
Examples:
  blip2 match photo.jpg -t "a dog on a beach" -t "a cat"
  blip2 match -m ./blip2-itm-vit-g holiday/ -t "people at a table" -o scores.parquet
`;
