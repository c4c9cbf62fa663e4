import type { GenerationOption, GenerationOptionKind } from '@blip2/interfaces';
import { InvalidArgumentError } from 'commander';

import { finiteNumber, integer, repeated } from './argument-parsers.ts';

/** Longer texts than any model has been trained for. */
export const MAX_NEW_TOKENS = 100_000;
/** Limits of the command on options that the library accepts in any size: above them a run would not end. */
export const COMMAND_LIMITS: Readonly<Record<string, number>> = {
  maxNewTokens: MAX_NEW_TOKENS,
  minNewTokens: MAX_NEW_TOKENS,
  maxLength: MAX_NEW_TOKENS,
  minLength: MAX_NEW_TOKENS,
  numBeams: 256,
};

export interface ValueParser {
  /** Placeholder of the value in the help. */
  readonly placeholder: string;
  /** Parses a value; throws the `InvalidArgumentError` of commander if the option does not allow it. */
  parse(option: GenerationOption): (value: string, previous: unknown) => unknown;
}

/** The parser for a kind of generation option; `undefined` for switches and for values that only code can provide. */
export function valueParserOf(kind: GenerationOptionKind): ValueParser | undefined {
  return PARSERS[kind];
}

const PARSERS: Partial<Record<GenerationOptionKind, ValueParser>> = {
  integer: { placeholder: 'n', parse: (option) => (value) => withinRange(integer(value), option) },
  number: { placeholder: 'number', parse: (option) => (value) => withinRange(finiteNumber(value), option) },
  booleanOrNever: { placeholder: 'true|false|never', parse: () => booleanOrNever },
  id: { placeholder: 'id', parse: () => tokenId },
  ids: { placeholder: 'id,id…', parse: () => tokenIds },
  idOrIds: { placeholder: 'id[,id…]', parse: () => idOrIds },
  idLists: { placeholder: 'json', parse: () => json('a list of lists of token ids, such as [[12,7],[5]]', isIdLists) },
  biases: {
    placeholder: 'json',
    parse: () => json('a list of pairs of ids and a number, such as [[[12,7],-2.5]]', isBiases),
  },
  decay: { placeholder: 'start,factor', parse: () => decay },
  strings: {
    placeholder: 'text',
    parse: () => (value, previous) => repeated(value, Array.isArray(previous) ? previous : undefined),
  },
};

function withinRange(value: number, { min, above, max }: GenerationOption): number {
  if (min !== undefined && value < min) throw new InvalidArgumentError(`Expected at least ${min}.`);
  if (above !== undefined && value <= above) throw new InvalidArgumentError(`Expected more than ${above}.`);
  if (max !== undefined && value > max) throw new InvalidArgumentError(`Expected at most ${max}.`);
  return value;
}

function booleanOrNever(value: string): boolean | 'never' {
  if (value === 'never') return 'never';
  if (value === 'true' || value === 'false') return value === 'true';
  throw new InvalidArgumentError('Expected true, false or never.');
}

function tokenId(value: string): number {
  return withinRange(integer(value), { kind: 'id', min: 0, description: '' });
}

function tokenIds(value: string): readonly number[] {
  return value.split(',').map((id) => tokenId(id.trim()));
}

function idOrIds(value: string): number | readonly number[] {
  return value.includes(',') ? tokenIds(value) : tokenId(value);
}

function decay(value: string): readonly [start: number, factor: number] {
  const [start, factor, ...rest] = value.split(',');
  if (start === undefined || factor === undefined || rest.length > 0)
    throw new InvalidArgumentError('Expected start,factor, such as 5,1.1.');
  return [integer(start.trim()), finiteNumber(factor)];
}

function json(expected: string, isValid: (value: unknown) => boolean): (value: string) => unknown {
  return (text) => {
    const value = parseJson(text);
    if (!isValid(value)) throw new InvalidArgumentError(`Expected ${expected}.`);
    return value;
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isIds(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((id) => Number.isSafeInteger(id) && id >= 0);
}

function isIdLists(value: unknown): boolean {
  return Array.isArray(value) && value.every(isIds);
}

function isBiases(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((pair) => Array.isArray(pair) && pair.length === 2 && isIds(pair[0]) && typeof pair[1] === 'number')
  );
}
