import { Blip2Error, mustBe } from '../errors.ts';
import { nearestName } from './nearest-name.ts';

/**
 * Requires that every option in `options` is one of `known`, so that misspelt options and those of other libraries are
 * not silently ignored. `where` is the function as callers write it (`Tokenizer.encode`). Members that are `undefined`
 * count as absent. `replacements` has, per option of another library, what to use instead.
 * @throws Blip2Error `UNKNOWN_OPTION`, with the replacement or the most similar known name; `INVALID_ARGUMENT` if
 * `options` is neither an object nor `undefined`.
 */
export function expectKnownOptions(
  where: string,
  options: unknown,
  known: readonly string[],
  replacements: Readonly<Record<string, string>> = {},
): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null || Array.isArray(options) || ArrayBuffer.isView(options))
    throw mustBe('options', 'an object', options, { where });
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue;
    throw new Blip2Error('UNKNOWN_OPTION', `Unknown option "${shown(name)}"`, {
      where,
      argument: shown(name),
      fix: fixOf(name, known, replacements),
    });
  }
}

/** Longer names are shortened in messages, in UTF-16 code units; they are too long to resemble an option. */
const MAX_NAME_LENGTH = 60;

function shown(name: string): string {
  return name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name;
}

function fixOf(name: string, known: readonly string[], replacements: Readonly<Record<string, string>>): string {
  const replacement = Object.hasOwn(replacements, name) ? replacements[name] : undefined;
  if (replacement !== undefined) return replacement;
  const nearest = name.length > MAX_NAME_LENGTH ? undefined : nearestName(name, known);
  if (nearest !== undefined) return `Did you mean "${nearest}"?`;
  return known.length === 0 ? 'There are no options' : `The options are ${known.join(', ')}`;
}
