import type { RankedAnswer } from '@blip2/blip2';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import type { ExitCode } from '../../exit-code.ts';
import { generationKind } from '../../model/model-kinds.ts';
import type { TaskModel } from '../../model/model-port.ts';
import { repeated } from '../../options/argument-parsers.ts';
import {
  addImageArgument,
  addImageOptions,
  addModuleOption,
  addQuestionOptions,
  addRawPromptOption,
  type ImageOptions,
  type QuestionOptions,
} from '../../options/common-options.ts';
import { distinctTexts } from '../../options/text-values.ts';
import type { ImageTask } from '../../run/image-task.ts';
import { runImages } from '../../run/run-images.ts';
import { tableOutput } from '../../tables/open-table.ts';
import { rankTable } from './rank-table.ts';

interface RankOptions extends ImageOptions, QuestionOptions {
  readonly candidate: readonly string[];
  readonly perToken?: boolean;
}

/** Decimals of a probability in a line of text; JSON has all. */
const DECIMALS = 4;

/** `blip2 rank IMAGE… -q QUESTION… -c CANDIDATE…`: one line per image and question, candidates best first. */
export const rankCommand: CliCommand = {
  name: 'rank',
  description:
    'Rank candidate answers by their probability: one line per image and question, path<TAB>question, ' +
    'then <TAB>candidate<TAB>probability for each, best first.',
  notes: `
Examples:
  blip2 rank photo.jpg -q "is there a dog?" -c yes -c no
  blip2 rank holiday/ -q "what is the weather like?" -c sunny -c cloudy -c rainy --json
`,
  configure(command) {
    addImageArgument(command);
    addQuestionOptions(command);
    command.requiredOption('-c, --candidate <text>', 'Candidate answer; may be repeated', repeated);
    addRawPromptOption(command);
    command.option('--per-token', 'Rank by the probability per token, which does not favour short answers');
    addImageOptions(command);
    addModuleOption(command);
  },
  run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<RankOptions>();
    return runImages(rankTask(options), command.args, options, environment);
  },
};

function rankTask(options: RankOptions): ImageTask<readonly RankedAnswer[], TaskModel> {
  const rawPrompt = options.rawPrompt === true;
  const perToken = options.perToken === true;
  const candidates = distinctTexts(
    '--candidate',
    options.candidate.map((text) => text.trim()),
  );
  return {
    command: 'rank',
    model: generationKind,
    prompts: distinctTexts('--question', options.question),
    options: { candidates, rawPrompt, perToken },
    perform: (model, items, signal) =>
      model.rank(
        items.map(({ image, prompts }) => ({ image, questions: prompts })),
        candidates,
        { rawPrompt, perToken, signal },
      ),
    toJson: (image, question, ranked) => ({
      image,
      question,
      candidates: ranked.map(({ text, logProb, logProbPerToken, probability }) => ({
        text,
        logProb,
        logProbPerToken,
        probability,
      })),
    }),
    toColumns: (question, ranked) => [
      question,
      ...ranked.flatMap(({ text, probability }) => [text, probability.toFixed(DECIMALS)]),
    ],
    promptOf: ({ question }) => (typeof question === 'string' ? question : undefined),
    openOutput: tableOutput(rankTable(candidates.length)),
  };
}
