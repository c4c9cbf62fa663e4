import { mustBe } from '../errors.ts';
import type { ThreadChoice } from '../session.ts';
import { expectKnownOptions } from './expect-known-options.ts';

/** Environment variable that pins numbers of threads, in the format of `parseThreads`. */
export const THREADS_VARIABLE = 'BLIP2_THREADS';

const MEMBERS: Readonly<Record<keyof ThreadChoice, true>> = {
  encoder: true,
  prompt: true,
  decode: true,
  fewRows: true,
};
const NAMES = Object.keys(MEMBERS) as readonly (keyof ThreadChoice)[];
const EXPECTED = 'a positive integer, or a list such as encoder=4,prompt=4,decode=2';

/**
 * Parses numbers of threads as text: one for everything, or such as `encoder=4,prompt=4,decode=2,fewRows=8`.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function parseThreads(text: string, argument: string = THREADS_VARIABLE): number | Partial<ThreadChoice> {
  if (/^\d+$/.test(text)) return expectThreads(Number(text), argument) as number;
  const choice: Partial<Record<keyof ThreadChoice, number>> = {};
  for (const part of text.split(',')) {
    const [, name = '', digits] = /^\s*([A-Za-z]+)\s*=\s*(\d+)\s*$/.exec(part) ?? [];
    const member = NAMES.find((known) => known === name);
    if (member === undefined || choice[member] !== undefined) throw mustBe(argument, EXPECTED, text);
    choice[member] = Number(digits);
  }
  return expectThreads(choice, argument) as Partial<ThreadChoice>;
}

/**
 * Checks numbers of threads that a caller gave, and returns them.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`.
 */
export function expectThreads(threads: unknown, argument: string = 'threads'): number | Partial<ThreadChoice> {
  if (typeof threads !== 'object' || threads === null || Array.isArray(threads)) {
    if (isCount(threads)) return threads;
    throw mustBe(argument, `a positive integer, or an object of ${NAMES.join(', ')}`, threads);
  }
  expectKnownOptions(argument, threads, NAMES);
  for (const [name, value] of Object.entries(threads))
    if (value !== undefined && !isCount(value)) throw mustBe(`${argument}.${name}`, 'a positive integer', value);
  return threads;
}

/** Whether a choice leaves nothing to be measured. */
export function isComplete(choice: Partial<ThreadChoice>): choice is ThreadChoice {
  return NAMES.every((name) => choice[name] !== undefined);
}

/** Whether a value read from a file is a choice for a machine with this many processors. */
export function isChoiceFor(value: unknown, processors: number): value is ThreadChoice {
  if (typeof value !== 'object' || value === null) return false;
  const { encoder, prompt, decode, fewRows } = value as Partial<Record<keyof ThreadChoice, unknown>>;
  return isCount(fewRows) && [encoder, prompt, decode].every((threads) => isCount(threads) && threads <= processors);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
