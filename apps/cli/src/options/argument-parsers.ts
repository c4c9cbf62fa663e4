import { Blip2Error, parseThreads, type ThreadChoice } from '@blip2/interfaces';
import { InvalidArgumentError } from 'commander';

/** Parsers of option values. They throw the error of commander, which names the option. */
export function positiveInteger(value: string): number {
  return integerFrom(1, value);
}

/** Positive integers up to a limit, above which a run would not end or not fit into memory. */
export function positiveIntegerUpTo(most: number): (value: string) => number {
  return (value) => {
    const parsed = positiveInteger(value);
    if (parsed > most) throw new InvalidArgumentError(`Expected at most ${most}.`);
    return parsed;
  };
}

/** One number of threads, or numbers by phase, each up to a limit. */
export function threadsUpTo(most: number): (value: string) => number | Partial<ThreadChoice> {
  return (value) => {
    if (/^[+-]?\d+$/.test(value)) return positiveIntegerUpTo(most)(value);
    const choice = listOfThreads(value);
    for (const [name, threads] of Object.entries(choice))
      if (name !== 'fewRows' && threads > most) throw new InvalidArgumentError(`Expected at most ${most}.`);
    return choice;
  };
}

function listOfThreads(value: string): Partial<ThreadChoice> {
  try {
    const threads = parseThreads(value);
    if (typeof threads === 'object') return threads;
  } catch (error) {
    if (!(error instanceof Blip2Error)) throw error;
  }
  throw new InvalidArgumentError(
    'Expected a whole number of at least 1, or a list such as encoder=4,prompt=4,decode=2.',
  );
}

export function integer(value: string): number {
  return integerFrom(-Infinity, value);
}

function integerFrom(least: number, value: string): number {
  const parsed = /^[+-]?\d+$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(parsed) || parsed < least)
    throw new InvalidArgumentError(
      least === -Infinity ? 'Expected a whole number.' : `Expected a whole number of at least ${least}.`,
    );
  return parsed;
}

export function finiteNumber(value: string): number {
  const parsed = value.trim() === '' ? NaN : Number(value);
  if (!Number.isFinite(parsed)) throw new InvalidArgumentError('Expected a number.');
  return parsed;
}

export function positiveNumber(value: string): number {
  const parsed = finiteNumber(value);
  if (parsed <= 0) throw new InvalidArgumentError('Expected a number above 0.');
  return parsed;
}

export function nonNegativeNumber(value: string): number {
  const parsed = finiteNumber(value);
  if (parsed < 0) throw new InvalidArgumentError('Expected a number of at least 0.');
  return parsed;
}

/** Names that are separated by commas; spaces around them are ignored. */
export function partList(value: string): readonly string[] {
  const names = value.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('Expected names that are separated by commas.');
  return names;
}

/** Collects the values of a repeatable option. */
export function repeated(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** Parses a file extension; its leading dot is optional. */
export function fileExtension(value: string): string {
  const extension = value.startsWith('.') ? value : `.${value}`;
  if (!/^\.[^/\\\p{Cc}]+$/u.test(extension)) throw new InvalidArgumentError('Expected an extension such as .txt.');
  return extension;
}
