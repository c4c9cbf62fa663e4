import { Blip2Error } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import type { ExitCode } from '../../exit-code.ts';
import type { RankedAnswer, TaskModel } from '../../model/model-port.ts';
import { generationKind } from '../../model/open-model.ts';
import { repeated } from '../../options/argument-parsers.ts';
import { addImageOptions, type ImageOptions } from '../../options/common-options.ts';
import { addModuleOption } from '../../options/module-option.ts';
import type { ImageTask } from '../../run/image-task.ts';
import { runImages } from '../../run/run-images.ts';
import { rankTable } from '../../tables/result-tables.ts';
import { tableOutput } from '../../tables/table.ts';

interface RankOptions extends ImageOptions {
  readonly question: readonly string[];
  readonly candidate: readonly string[];
  readonly rawPrompt?: boolean;
  readonly perToken?: boolean;
}

/** Digits of a probability in a text line; JSON has all. */
const DIGITS = 4;

/** `blip2 rank IMAGE… -q QUESTION… -c CANDIDATE…`: one line per image and question, candidates best first. */
export const rankCommand: CliCommand = {
  name: 'rank',
  configure(command) {
    command
      .description(
        'Say how likely given answers are: one line per image and question, path<TAB>question, then <TAB>candidate<TAB>probability for each, best first.',
      )
      .argument('<image...>', 'File, "glob", folder, URL, @list.txt, @list.jsonl, or - for stdin')
      .requiredOption(
        '-q, --question <text>',
        'What to ask; may be repeated, every image is asked every question',
        repeated,
      )
      .requiredOption('-c, --candidate <text>', 'A possible answer; may be repeated', repeated)
      .option('--raw-prompt', "Pass the question as it is, without the checkpoint's template")
      .option('--per-token', 'Go by the probability per token, which does not favour short answers');
    addImageOptions(command);
    addModuleOption(command);
    command.addHelpText('after', EXAMPLES);
  },
  run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<RankOptions>();
    return runImages(rankTask(options), command.args, options, environment);
  },
};

function rankTask(options: RankOptions): ImageTask<readonly RankedAnswer[], TaskModel> {
  const rawPrompt = options.rawPrompt === true;
  const perToken = options.perToken === true;
  const questions = distinct(options.question, '--question');
  const candidates = distinct(options.candidate, '--candidate');
  return {
    command: 'rank',
    model: generationKind,
    parts: questions,
    options: { candidates, rawPrompt, perToken },
    perform: (model, items, signal) =>
      model.rank(
        items.map(({ image, parts }) => ({ image, questions: parts })),
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
      ...ranked.flatMap(({ text, probability }) => [text, probability.toFixed(DIGITS)]),
    ],
    partOf: ({ question }) => (typeof question === 'string' ? question : undefined),
    openOutput: tableOutput(rankTable(candidates.length)),
  };
}

function distinct(texts: readonly string[], where: string): readonly string[] {
  if (texts.some((text) => text.trim() === '')) throw new Blip2Error('INVALID_ARGUMENT', 'A text is empty', { where });
  return [...new Set(texts)];
}

const EXAMPLES = `
Examples:
  blip2 rank photo.jpg -q "is there a dog?" -c yes -c no
  blip2 rank holiday/ -q "what is the weather like?" -c sunny -c cloudy -c rainy --json
`;
