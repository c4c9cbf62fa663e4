import type { TextResult } from '@blip2/blip2';

import type { CliCommand } from '../../command.ts';
import { generationKind } from '../../model/model-kinds.ts';
import type { TaskModel } from '../../model/model-port.ts';
import {
  addImageArgument,
  addQuestionOptions,
  addRawPromptOption,
  type QuestionOptions,
} from '../../options/common-options.ts';
import { generationSettingsOf } from '../../options/generation-flags.ts';
import { addTextTaskOptions, type TextTaskOptions } from '../../options/text-task-options.ts';
import { distinctTexts } from '../../options/text-values.ts';
import type { ImageTask } from '../../run/image-task.ts';
import { askTable, textResultJson } from '../../run/text-results.ts';
import { textTaskRunner } from '../../run/text-task-runner.ts';
import { tableOutput } from '../../tables/open-table.ts';

type AskOptions = TextTaskOptions & QuestionOptions;

/** `blip2 ask IMAGE… -q QUESTION…`: one line per image and question. */
export const askCommand: CliCommand = {
  name: 'ask',
  description:
    'Answer questions about each image: one line per image and question, path<TAB>question<TAB>answer. ' +
    'Every question is asked about every image.',
  notes: `
Examples:
  blip2 ask photo.jpg -q "how many people are there?"
  blip2 ask a.png b.png -q "what color is the car?" -q "is it day or night?" --json
  blip2 ask holiday/ -r -q "is it day or night?" -o answers.csv
  blip2 ask photo.jpg --raw-prompt -q "Question: what is this? Answer: a bridge. Question: where? Answer:"
`,
  configure(command) {
    addImageArgument(command);
    addQuestionOptions(command);
    addRawPromptOption(command);
    addTextTaskOptions(command);
  },
  run: textTaskRunner(askTask),
};

function askTask(options: AskOptions): ImageTask<TextResult, TaskModel> {
  const generation = generationSettingsOf(options);
  const rawPrompt = options.rawPrompt === true;
  return {
    command: 'ask',
    model: generationKind,
    prompts: distinctTexts('--question', options.question, 'To describe an image use `blip2 caption`'),
    options: { rawPrompt, ...generation },
    perform: (model, items, signal) =>
      model.ask(
        items.map(({ image, prompts }) => ({ image, questions: prompts })),
        { rawPrompt, generation, signal },
      ),
    stream: (model, image, question, signal) => ({
      columns: [question],
      pieces: model.streamAnswer(image, question, { rawPrompt, generation, signal }),
    }),
    toJson: (image, question, result) => ({ image, question, ...textResultJson(result) }),
    toColumns: (question, { text }) => [question, text],
    promptOf: ({ question }) => (typeof question === 'string' ? question : undefined),
    sheetText: ({ question, text }) => ({ label: String(question), text: String(text) }),
    openOutput: tableOutput(askTable),
  };
}
