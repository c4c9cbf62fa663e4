import { Blip2Error } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import type { ExitCode } from '../../exit-code.ts';
import type { TaskModel, TextResult } from '../../model/model-port.ts';
import { generationKind } from '../../model/open-model.ts';
import { repeated } from '../../options/argument-parsers.ts';
import { addImageOptions, type ImageOptions } from '../../options/common-options.ts';
import { addGenerationOptions, generationSettingsOf, noteIneffective } from '../../options/generation-flags.ts';
import { addModuleOption } from '../../options/module-option.ts';
import { addSheetOption, type SheetOptions } from '../../options/sheet-option.ts';
import { textResultJson } from '../../output/text-result-json.ts';
import type { ImageTask } from '../../run/image-task.ts';
import { runImages } from '../../run/run-images.ts';
import { askTable } from '../../tables/result-tables.ts';
import { tableOutput } from '../../tables/table.ts';

interface AskOptions extends ImageOptions, SheetOptions {
  readonly question: readonly string[];
  readonly rawPrompt?: boolean;
}

/** `blip2 ask IMAGE… -q QUESTION…`: one line per image and question. */
export const askCommand: CliCommand = {
  name: 'ask',
  configure(command) {
    command
      .description('Answer questions about each image: one line per image and question, path<TAB>question<TAB>answer.')
      .argument('<image...>', 'File, "glob", folder, URL, @list.txt, @list.jsonl, or - for stdin')
      .requiredOption(
        '-q, --question <text>',
        'What to ask; may be repeated, every image is asked every question',
        repeated,
      )
      .option('--raw-prompt', "Pass the question as it is, without the checkpoint's template");
    addImageOptions(command);
    addModuleOption(command);
    addSheetOption(command);
    addGenerationOptions(command);
    command.addHelpText('after', EXAMPLES);
  },
  run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<AskOptions>();
    noteIneffective(options, environment);
    return runImages(askTask(options), command.args, options, environment);
  },
};

function askTask(options: AskOptions): ImageTask<TextResult, TaskModel> {
  const generation = generationSettingsOf(options);
  const rawPrompt = options.rawPrompt === true;
  const questions = [...new Set(options.question)];
  if (questions.some((question) => question.trim() === ''))
    throw new Blip2Error('INVALID_ARGUMENT', 'A question is empty', {
      where: '--question',
      fix: 'For a text without any question use `blip2 caption`',
    });
  return {
    command: 'ask',
    model: generationKind,
    parts: questions,
    options: { rawPrompt, ...generation },
    perform: (model, items, signal) =>
      model.ask(
        items.map(({ image, parts }) => ({ image, questions: parts })),
        { rawPrompt, generation, signal },
      ),
    stream: (model, image, question, signal) => ({
      columns: [question],
      pieces: model.streamAnswer(image, question, { rawPrompt, generation, signal }),
    }),
    toJson: (image, question, result) => ({ image, question, ...textResultJson(result) }),
    toColumns: (question, { text }) => [question, text],
    partOf: ({ question }) => (typeof question === 'string' ? question : undefined),
    sheetText: ({ question, text }) => ({ label: String(question), text: String(text) }),
    openOutput: tableOutput(askTable),
  };
}

const EXAMPLES = `
Examples:
  blip2 ask photo.jpg -q "how many people are there?"
  blip2 ask a.png b.png -q "what color is the car?" -q "is it day or night?" --json
  blip2 ask holiday/ -r -q "is it day or night?" -o answers.csv
  blip2 ask photo.jpg --raw-prompt -q "Question: what is this? Answer: a bridge. Question: where? Answer:"
`;
