import { type GenerationOption, type GenerationOptions, generationOptions } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { Environment } from '../environment.ts';
import type { ReportOptions } from './common-options.ts';
import { valueParserOf } from './generation-values.ts';

/** Options that a line of output has no room for: one text per line, new tokens only. */
const NOT_ON_THE_COMMAND_LINE: ReadonlySet<string> = new Set<keyof GenerationOptions>([
  'numReturnSequences',
  'returnPrompt',
  'outputScores',
  'outputLogits',
]);

/**
 * Adds a flag for every generation option that a text can express, in kebab-case: `maxNewTokens` is `--max-new-tokens`.
 */
export function addGenerationOptions(command: Command): Command {
  for (const [name, option] of flagged()) command.addOption(flagOf(name, option).helpGroup('Generation:'));
  return command;
}

/** The generation options that were given, by their names in the library. */
export function generationSettingsOf(options: object): GenerationOptions {
  const given = new Map(Object.entries(options));
  return Object.fromEntries(flagged().flatMap(([name]) => (given.has(name) ? [[name, given.get(name)]] : [])));
}

/** What the options that others need are called where they are missing. */
const MISSING = { doSample: '--do-sample', numBeams: '--num-beams 2 or more' } as const;

/**
 * Says on stderr which of the generation options given change nothing, a line each for sampling and beam search; those
 * given with their default value say
 * nothing that is untrue. The reference warns of the same.
 */
export function noteIneffective(options: object & ReportOptions, { stderr }: Pick<Environment, 'stderr'>): void {
  if (options.quiet === true) return;
  const settings = generationSettingsOf(options);
  const holds = { doSample: settings.doSample === true, numBeams: (settings.numBeams ?? 1) > 1 };
  for (const need of ['doSample', 'numBeams'] as const) {
    const idle = flagged()
      .filter(
        ([name, option]) => option.needs === need && name in settings && Reflect.get(settings, name) !== option.default,
      )
      .map(([name]) => `--${kebab(name)}`);
    if (!holds[need] && idle.length > 0)
      stderr.write(`Note: without ${MISSING[need]} this changes nothing: ${idle.join(', ')}\n`);
  }
}

function flagged(): [name: string, option: GenerationOption][] {
  return Object.entries(generationOptions).filter(
    ([name, { kind }]) =>
      (kind === 'boolean' || valueParserOf(kind) !== undefined) && !NOT_ON_THE_COMMAND_LINE.has(name),
  );
}

function flagOf(name: string, option: GenerationOption): Option {
  const flag = `--${kebab(name)}`;
  const normal = option.default === undefined || option.default === false ? '' : ` (default: ${option.default})`;
  const description =
    option.description
      .replace(/\.$/, '')
      .replace(/[a-z]+(?:[A-Z][a-z]+)+/g, (word) => (word in generationOptions ? kebab(word) : word)) + normal;
  const parser = valueParserOf(option.kind);
  const result = parser
    ? new Option(`${flag} <${parser.placeholder}>`, description).argParser(parser.parse(option))
    : new Option(flag, description);
  // Commander takes any name with `no-` for the opposite of an option; `--no-repeat-ngram-size` is none.
  result.negate = false;
  return result;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
