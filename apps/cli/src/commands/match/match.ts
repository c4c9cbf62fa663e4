import type { MatchScore } from '@blip2/blip2';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import type { ExitCode } from '../../exit-code.ts';
import { retrievalKind } from '../../model/model-kinds.ts';
import type { RetrievalModel } from '../../model/model-port.ts';
import { repeated } from '../../options/argument-parsers.ts';
import { addImageArgument, addImageOptions, addModuleOption, type ImageOptions } from '../../options/common-options.ts';
import { distinctTexts } from '../../options/text-values.ts';
import type { ImageTask } from '../../run/image-task.ts';
import { runImages } from '../../run/run-images.ts';
import { tableOutput } from '../../tables/open-table.ts';
import type { Table } from '../../tables/table.ts';
import { doubleColumn, oneRowTable, stringColumn } from '../../tables/table-cells.ts';

interface MatchOptions extends ImageOptions {
  readonly text: readonly string[];
}

/** Decimals of a score in a line of text; JSON has all. */
const DECIMALS = 4;

const MATCH_TABLE: Table = oneRowTable([
  stringColumn('image'),
  stringColumn('text'),
  doubleColumn('itm'),
  doubleColumn('itc'),
]);

/** `blip2 match IMAGE… -t TEXT…`: one line per image and text. */
export const matchCommand: CliCommand = {
  name: 'match',
  description:
    'Score how well texts match each image: one line per image and text, path<TAB>text<TAB>ITM probability (0 to 1)' +
    '<TAB>ITC cosine (-1 to 1). Every image is compared with every text.',
  notes: `
Examples:
  blip2 match photo.jpg -t "a dog on a beach" -t "a cat"
  blip2 match -m ./blip2-itm-vit-g holiday/ -t "people at a table" -o scores.parquet
`,
  configure(command) {
    addImageArgument(command);
    command.requiredOption('-t, --text <text>', 'Text to compare with every image; may be repeated', repeated);
    addImageOptions(command);
    addModuleOption(command);
  },
  run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<MatchOptions>();
    return runImages(matchTask(options), command.args, options, environment);
  },
};

function matchTask(options: MatchOptions): ImageTask<MatchScore, RetrievalModel> {
  return {
    command: 'match',
    model: retrievalKind,
    prompts: distinctTexts('--text', options.text),
    options: {},
    perform: (model, items, signal) =>
      model.match(
        items.map(({ image, prompts }) => ({ image, texts: prompts })),
        { signal },
      ),
    toJson: (image, text, { itm, itc }) => ({ image, text, itm, itc }),
    toColumns: (text, { itm, itc }) => [text, itm.toFixed(DECIMALS), itc.toFixed(DECIMALS)],
    promptOf: ({ text }) => (typeof text === 'string' ? text : undefined),
    openOutput: tableOutput(MATCH_TABLE),
  };
}
