import { isJsonObject, type JsonObject } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { MAX_COMPONENTS, MAX_INSERTED_LENGTH } from './limits.ts';

/**
 * Regular expressions of stock tokenizers, each with linear or bounded running time on any text. Others are rejected:
 * JavaScript's engine backtracks, so a hostile expression can take seconds on 29 characters.
 */
const KNOWN_REGEXES: ReadonlySet<string> = new Set([
  ' {2,}',
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|" +
    ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" +
    ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
]);

/** Creates the error for an invalid `tokenizer.json`. */
export function invalidTokenizer(
  what: string,
  details: { readonly expected?: string; readonly got?: string; readonly cause?: unknown } = {},
): Blip2Error {
  return new Blip2Error('INVALID_TOKENIZER', what, { where: 'tokenizer.json', ...details });
}

/** Creates the error for a stage whose result is longer than `limit`. */
export function expandsTooMuch(stage: string, limit: number): Blip2Error {
  return invalidTokenizer(`The ${stage} expands a text too much`, { expected: `at most ${limit} characters` });
}

/**
 * Reads a stage of `tokenizer.json` as a flat list of components: sequences are flattened, `null` is an empty list.
 * @throws Blip2Error `INVALID_TOKENIZER` for unknown types and too many components.
 */
export function componentsOf(
  stage: unknown,
  name: string,
  sequenceKey: string,
  known: ReadonlySet<string>,
): readonly JsonObject[] {
  const found: JsonObject[] = [];
  const visit = (component: unknown, depth: number): void => {
    if (component === null || component === undefined) return;
    if (!isJsonObject(component) || typeof component['type'] !== 'string')
      throw invalidTokenizer(`The ${name} must be an object with a type`);
    if (depth > MAX_COMPONENTS || found.length >= MAX_COMPONENTS)
      throw invalidTokenizer(`The ${name} has too many components`, { expected: `at most ${MAX_COMPONENTS}` });
    const members = component[sequenceKey];
    if (component['type'] !== 'Sequence') found.push(component);
    else if (Array.isArray(members)) for (const member of members) visit(member, depth + 1);
    else throw invalidTokenizer(`The ${name} is a sequence without ${sequenceKey}`);
  };
  visit(stage, 0);
  const unknown = found.find(({ type }) => typeof type !== 'string' || !known.has(type));
  if (unknown)
    throw invalidTokenizer(`Unknown ${name}`, { expected: [...known].join(', '), got: String(unknown['type']) });
  return found;
}

/**
 * Converts the pattern of a `Replace` or `Split` to a global regular expression.
 * @throws Blip2Error `INVALID_TOKENIZER` for regular expressions of other than stock tokenizers.
 */
export function patternOf(pattern: unknown): RegExp {
  const { String: text, Regex: regex } = isJsonObject(pattern) ? pattern : {};
  if (typeof text === 'string' && text.length > 0 && text.length <= MAX_INSERTED_LENGTH)
    return new RegExp(escapeRegExp(text), 'gu');
  if (typeof regex === 'string' && KNOWN_REGEXES.has(regex)) return new RegExp(withUnicodeSpaces(regex), 'gu');
  throw invalidTokenizer('Unknown pattern', {
    expected: 'a short string, or the regular expression of a stock tokenizer',
    got: JSON.stringify(pattern)?.slice(0, 200) ?? 'none',
  });
}

/**
 * Reads a string that a component inserts or strips.
 * @throws Blip2Error `INVALID_TOKENIZER` if it is too long.
 */
export function insertedText(component: JsonObject, key: string): string {
  const text = component[key];
  if (typeof text === 'string' && text.length <= MAX_INSERTED_LENGTH && !/\p{Cs}/u.test(text)) return text;
  throw invalidTokenizer(`${String(component['type'])} has an invalid ${key}`, {
    expected: `a string of at most ${MAX_INSERTED_LENGTH} characters`,
  });
}

/**
 * Reads a string of one character.
 * @throws Blip2Error `INVALID_TOKENIZER` otherwise.
 */
export function oneCharacter(component: JsonObject, key: string): string {
  const text = component[key];
  if (typeof text === 'string' && /^\P{Cs}$/su.test(text)) return text;
  throw invalidTokenizer(`${String(component['type'])} has an invalid ${key}`, { expected: 'one character' });
}

/** The word characters of the Rust library (`\w`), for use in a character class. */
export const WORD_CHARACTERS = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';

/** Escapes a text for use in a regular expression. */
export function escapeRegExp(text: string): string {
  return text.replaceAll(
    /[.*+?^${}()|[\]\\/-]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/**
 * Converts Rust syntax to JavaScript: `\s` is Unicode's White_Space in Rust, while JavaScript's includes U+FEFF and
 * lacks U+0085. Case-insensitive groups are spelled out.
 */
function withUnicodeSpaces(regex: string): string {
  return regex
    .replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])")
    .replaceAll('\\s', '\\p{White_Space}')
    .replaceAll('\\S', '\\P{White_Space}');
}
