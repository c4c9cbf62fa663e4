import { type GenerationOption, type GenerationOptions, generationOptions } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { Environment } from '../environment.ts';
import type { ReportOptions } from './common-options.ts';
import { COMMAND_LIMITS, valueParserOf } from './generation-values.ts';

/** Options without a flag, because outputs hold one text per line and new tokens only. */
const NOT_ON_THE_COMMAND_LINE: ReadonlySet<string> = new Set<keyof GenerationOptions>([
  'numReturnSequences',
  'returnPrompt',
  'outputScores',
  'outputLogits',
]);

/**
 * Adds a flag in kebab-case for every generation option that text can express: `maxNewTokens` is `--max-new-tokens`.
 */
export function addGenerationOptions(command: Command): Command {
  for (const [name, option] of flagged()) command.addOption(flagOf(name, option).helpGroup('Generation:'));
  return command;
}

/** The given generation options, by their names in the library. */
export function generationSettingsOf(options: object): GenerationOptions {
  const given = new Map(Object.entries(options));
  return Object.fromEntries(flagged().flatMap(([name]) => (given.has(name) ? [[name, given.get(name)]] : [])));
}

/** How notes name the options that other options depend on. */
const MISSING = { doSample: '--do-sample', numBeams: '--num-beams 2 or more' } as const;

/**
 * Notes on stderr which of the given generation options have no effect, in one line for sampling and one for beam
 * search. Options with their default value are not listed. Hugging Face Transformers warns in the same cases.
 */
export function noteIneffective(options: object & ReportOptions, { stderr }: Pick<Environment, 'stderr'>): void {
  if (options.quiet === true) return;
  const settings = generationSettingsOf(options);
  const isSet = { doSample: settings.doSample === true, numBeams: (settings.numBeams ?? 1) > 1 };
  for (const need of ['doSample', 'numBeams'] as const) {
    const idle = flagged()
      .filter(
        ([name, option]) => option.needs === need && name in settings && Reflect.get(settings, name) !== option.default,
      )
      .map(([name]) => `--${kebab(name)}`);
    if (!isSet[need] && idle.length > 0) stderr.write(`Note: no effect without ${MISSING[need]}: ${idle.join(', ')}\n`);
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
  const defaultValue = option.default === undefined || option.default === false ? '' : ` (default: ${option.default})`;
  const description =
    option.description
      .replace(/\.$/, '')
      .replace(/[a-z]+(?:[A-Z][a-z]+)+/g, (word) => (word in generationOptions ? kebab(word) : word)) + defaultValue;
  const most = COMMAND_LIMITS[name];
  const limited = most === undefined ? option : { ...option, max: Math.min(most, option.max ?? most) };
  const parser = valueParserOf(option.kind);
  const result = parser
    ? new Option(`${flag} <${parser.placeholder}>`, description).argParser(parser.parse(limited))
    : new Option(flag, description);
  // Commander takes any name with `no-` for a negated option, which `--no-repeat-ngram-size` is not.
  result.negate = false;
  return result;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
