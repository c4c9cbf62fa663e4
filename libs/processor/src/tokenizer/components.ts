import { isJsonObject, type JsonObject } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { MAX_COMPONENTS, MAX_INSERTED_LENGTH } from './limits.ts';

/**
 * The regular expressions of stock tokenizers. Others are refused: JavaScript's engine backtracks, so 29 characters of
 * text can keep
 * a hostile expression busy for seconds. Each is linear or bounded on any text.
 */
const KNOWN_REGEXES: ReadonlySet<string> = new Set([
  ' {2,}',
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
]);

/** Refuses a `tokenizer.json`: always this code, so that callers can tell a bad file from a bad call. */
export function invalidTokenizer(
  what: string,
  details: { readonly expected?: string; readonly got?: string; readonly cause?: unknown } = {},
): Blip2Error {
  return new Blip2Error('INVALID_TOKENIZER', what, { where: 'tokenizer.json', ...details });
}

/**
 * One stage of `tokenizer.json` as a flat list: sequences are unrolled, `null` is the empty list, unknown types are
 * refused.
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
      throw invalidTokenizer(`The ${name} is not an object with a type`);
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

/** What a `Replace` or `Split` looks for, as a global expression; unknown regular expressions are refused. */
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

/** A short string that a component inserts or strips. */
export function insertedText(component: JsonObject, key: string): string {
  const text = component[key];
  if (typeof text === 'string' && text.length <= MAX_INSERTED_LENGTH) return text;
  throw invalidTokenizer(`${String(component['type'])} needs a short ${key}`, {
    expected: `a string of at most ${MAX_INSERTED_LENGTH} characters`,
  });
}

/** A literal text as the source of a regular expression. */
export function escapeRegExp(text: string): string {
  return text.replaceAll(
    /[.*+?^${}()|[\]\\/-]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/**
 * `\s` of the reference is Unicode's White_Space; JavaScript's adds U+FEFF and lacks U+0085. Case-insensitive groups
 * are spelled out.
 */
function withUnicodeSpaces(regex: string): string {
  return regex
    .replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])")
    .replaceAll('\\s', '\\p{White_Space}')
    .replaceAll('\\S', '\\P{White_Space}');
}
